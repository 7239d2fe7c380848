import Glibc
import VaultModel
import VaultSystem

/// A directory of the test's own that goes with everything in it.
final class TemporaryTree {
  let path: ByteString

  init() throws {
    var template = Array("/tmp/vault-fileset-XXXXXX".utf8CString)
    guard let made = mkdtemp(&template) else { throw SystemError.current("mkdtemp", "/tmp") }
    path = ByteString(UnsafeRawBufferPointer(start: made, count: strlen(made)))
  }

  deinit {
    // rm copes with trees of any depth.
    let words: [String] = ["rm", "-rf", "--", String(decoding: path.bytes, as: UTF8.self)]
    var arguments: [UnsafeMutablePointer<CChar>?] = words.map { word in strdup(word) }
    arguments.append(nil)
    var process = pid_t()
    if posix_spawn(&process, "/bin/rm", nil, nil, &arguments, environ) == 0 { waitpid(process, nil, 0) }
    for argument in arguments { free(argument) }
  }

  /// Removes a name with everything below it.
  static func remove(at directory: Int32, _ name: ByteString) {
    if (try? DirectoryNames.remove(at: directory, name)) != nil { return }
    if let opened = try? Descriptor.open(at: directory, name, [.readOnly, .directory, .noFollow]) {
      try? OpenFile.setMode(opened.rawValue, 0o700)
      for name in names(of: opened.rawValue) { remove(at: opened.rawValue, name) }
    }
    try? DirectoryNames.removeDirectory(at: directory, name)
  }

  static func names(of directory: Int32) -> [ByteString] {
    var stream = DirectoryStream()
    var names: [ByteString] = []
    try? stream.forEachName(in: directory) { name in
      names.append(ByteString(name.bytes))
      return true
    }
    return names
  }

  /// The absolute path of something inside.
  func absolute(_ relative: ByteString) -> ByteString {
    relative.isEmpty ? path : ByteString(path.bytes + [0x2f] + relative.bytes)
  }

  /// The key of a directory inside.
  func key(_ relative: ByteString) -> DirectoryKey { DirectoryKey(path: absolute(relative)) }

  func makeDirectory(_ relative: ByteString, mode: UInt32 = 0o755) throws {
    try DirectoryNames.makeDirectory(at: Descriptor.workingDirectory, absolute(relative), mode: mode)
  }

  func write(_ relative: ByteString, _ text: String = "text") throws {
    let file = try Descriptor.open(absolute(relative), [.writeOnly, .create, .truncate], mode: 0o644)
    var text = text
    try text.withUTF8 { try file.writeAll(UnsafeRawBufferPointer($0)) }
    try file.close()
  }

  func link(_ relative: ByteString, to target: ByteString) throws {
    try DirectoryNames.makeSymbolicLink(at: Descriptor.workingDirectory, absolute(relative), target: target)
  }

  func remove(_ relative: ByteString) {
    Self.remove(at: Descriptor.workingDirectory, absolute(relative))
  }

  func attributes(_ relative: ByteString) throws -> FileAttributes {
    try FileStatus.read(at: Descriptor.workingDirectory, name: absolute(relative))
  }

  func exists(_ relative: ByteString) -> Bool { (try? attributes(relative)) != nil }

  func read(_ relative: ByteString) throws -> String {
    let file = try Descriptor.open(absolute(relative), [.readOnly])
    var bytes = [UInt8](repeating: 0, count: 65536)
    let count = try bytes.withUnsafeMutableBytes { try file.read(into: $0) }
    return String(decoding: bytes[..<count], as: UTF8.self)
  }

  func readLink(_ relative: ByteString) throws -> ByteString {
    var bytes = [UInt8](repeating: 0, count: 4096)
    let path = absolute(relative)
    let count = try bytes.withUnsafeMutableBytes { buffer in
      try path.withCString { try DirectoryNames.readLink(at: Descriptor.workingDirectory, name: $0, into: buffer) }
    }
    return ByteString(bytes[..<count])
  }

  func names(_ relative: ByteString) throws -> [ByteString] {
    let opened = try Descriptor.open(absolute(relative), [.readOnly, .directory])
    return Self.names(of: opened.rawValue).sorted()
  }
}
