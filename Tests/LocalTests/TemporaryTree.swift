import Glibc
import VaultModel
import VaultSystem

/// A directory of the test's own that goes with everything in it.
final class TemporaryTree: Sendable {
  let path: ByteString

  init() throws {
    var template = Array("/tmp/vault-local-tests-XXXXXX".utf8CString)
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

  subscript(_ relative: String) -> ByteString { ByteString(path.bytes + Array("/\(relative)".utf8)) }

  func makeDirectory(_ relative: String) throws {
    try DirectoryNames.makeDirectory(at: Descriptor.workingDirectory, self[relative], mode: 0o755)
  }

  func write(_ relative: String, _ bytes: [UInt8]) throws {
    let file = try Descriptor.open(self[relative], [.writeOnly, .create, .truncate], mode: 0o644)
    try bytes.withUnsafeBytes { try file.writeAll($0) }
    try file.close()
  }

  func read(_ path: ByteString) throws -> [UInt8] {
    let file = try Descriptor.open(path, [.readOnly])
    var bytes = [UInt8](repeating: 0, count: Int(try file.size()))
    let count = try bytes.withUnsafeMutableBytes { try file.read(into: $0) }
    return Array(bytes[..<count])
  }

  /// The inode and link count of a path.
  func links(_ path: ByteString) throws -> (inode: UInt64, count: UInt32) {
    let attributes = try FileStatus.read(at: Descriptor.workingDirectory, name: path)
    return (attributes.inode, attributes.linkCount)
  }

  func hardLink(_ relative: String, to existing: String) throws {
    let from = String(decoding: self[existing].bytes, as: UTF8.self)
    let to = String(decoding: self[relative].bytes, as: UTF8.self)
    guard Glibc.link(from, to) == 0 else { throw SystemError.current("link", to) }
  }
}

/// Bytes that do not compress; the same seed gives the same bytes.
func noise(_ count: Int, seed: UInt64) -> [UInt8] {
  var bytes = [UInt8](repeating: 0, count: count)
  var state = seed
  bytes.withUnsafeMutableBytes { raw in
    for offset in stride(from: 0, to: count & ~7, by: 8) {
      state &+= 0x9e37_79b9_7f4a_7c15
      var word = (state ^ (state >> 30)) &* 0xbf58_476d_1ce4_e5b9
      word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
      raw.storeBytes(of: word ^ (word >> 31), toByteOffset: offset, as: UInt64.self)
    }
  }
  return bytes
}
