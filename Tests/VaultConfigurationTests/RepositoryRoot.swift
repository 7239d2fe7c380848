import VaultConfiguration
import VaultModel

/// The project's own files, which tests compare with the code.
enum RepositoryRoot {
  static func path(_ name: String) -> ByteString {
    ByteString("/" + "\(#filePath)".split(separator: "/").dropLast(3).joined(separator: "/") + "/" + name)
  }

  static func read(_ name: String) throws -> [UInt8] {
    try ConfigurationEnvironment.system.read(path(name), 1 << 20)
  }
}
