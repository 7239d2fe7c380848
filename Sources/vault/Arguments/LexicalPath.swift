import Glibc
import VaultModel
import VaultSystem

/// Paths as text rules alone make them; no file is looked at.
package enum LexicalPath {
  private static let slash = UInt8(ascii: "/")

  /// The path from the root; a relative one starts from the working directory, which is only then asked for.
  package static func absolute(_ path: ByteString, from workingDirectory: () throws -> ByteString) rethrows
    -> ByteString
  {
    if path.bytes.first == slash { return path }
    return ByteString(try workingDirectory().bytes + [slash] + path.bytes)
  }

  /// An absolute path without `.`, without `..` and without repeated slashes; `..` above the root stays at the root.
  package static func normalized(_ path: ByteString) -> ByteString {
    var components: [ArraySlice<UInt8>] = []
    for component in path.bytes.split(separator: slash) {
      switch component {
      case [UInt8(ascii: ".")]: continue
      case [UInt8(ascii: "."), UInt8(ascii: ".")]: _ = components.popLast()
      default: components.append(component)
      }
    }
    return ByteString([slash] + components.joined(separator: [slash]))
  }

  /// The working directory's path. The corresponding C function is `getcwd`.
  static func workingDirectory() throws -> ByteString {
    var capacity = 4_096
    while capacity <= 1 << 24 {
      var buffer = [UInt8](repeating: 0, count: capacity)
      let length = buffer.withUnsafeMutableBytes { buffer in
        getcwd(buffer.baseAddress?.assumingMemoryBound(to: CChar.self), buffer.count).map { strlen($0) }
      }
      if let length { return ByteString(buffer[..<length]) }
      guard errno == ERANGE else { break }
      capacity *= 4
    }
    throw SystemError.current("getcwd", "the working directory")
  }
}
