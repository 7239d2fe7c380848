import CLinux
import SystemPackage
import VaultModel

/// Small files and directories that must be there whole after a crash, or not at all.
package enum DurableFiles {
  /// Makes a directory unless it is there, and puts its name on stable storage.
  package static func createDirectory(_ path: ByteString, mode: UInt32) throws(SystemError) {
    do throws(Errno) {
      try DirectoryNames.makeDirectory(at: Descriptor.workingDirectory, path, mode: mode)
    } catch {
      if error == .fileExists {
        _ = try Descriptor.open(path, [.readOnly, .directory])
        return
      }
      throw SystemError(error, call: "mkdir", object: path.displayText)
    }
    try synchronizeDirectory(parent(of: path))
  }

  /// The names inside a directory, in no order; those that are not UTF-8 are left out.
  package static func names(in path: ByteString) throws(SystemError) -> [String] {
    let directory = try VolumeDirectory(path: path)
    do throws(Errno) { return try directory.names() } catch {
      throw SystemError(error, call: "readdir", object: path.displayText)
    }
  }

  /// Writes a file whole: under another name first, synced, renamed, and the directory synced.
  ///
  /// - Durability: after it returned the file is on stable storage; after a crash before that it has its old content.
  package static func write(_ bytes: [UInt8], to path: ByteString) throws(SystemError) {
    let temporary = ByteString(path.bytes + Array(".new".utf8))
    let file = try Descriptor.open(temporary, [.writeOnly, .create, .truncate, .noFollow], mode: 0o600)
    var failure: Errno?
    bytes.withUnsafeBytes { raw in
      do throws(Errno) {
        try file.writeAll(raw)
        try file.synchronize()
      } catch { failure = error }
    }
    if let failure { throw SystemError(failure, call: "write", object: temporary.displayText) }
    try file.close()
    do throws(Errno) {
      try DirectoryNames.rename(at: Descriptor.workingDirectory, temporary, to: path)
    } catch { throw SystemError(error, call: "rename", object: path.displayText) }
    try synchronizeDirectory(parent(of: path))
  }

  /// Reads a small file whole.
  ///
  /// - Throws: `SystemError` with `fileTooLarge` when it is longer than `limit`.
  package static func read(_ path: ByteString, limit: Int) throws(SystemError) -> [UInt8] {
    let file = try Descriptor.open(path, [.readOnly])
    do throws(Errno) { return try file.readToEnd(limit: limit) } catch {
      throw SystemError(error, call: "read", object: path.displayText)
    }
  }

  private static func synchronizeDirectory(_ path: ByteString) throws(SystemError) {
    let directory = try Descriptor.open(path, [.readOnly, .directory])
    do throws(Errno) { try directory.synchronize() } catch {
      // Some network and FUSE file systems cannot synchronise a directory: there is nothing to wait for.
      if error != .invalidArgument { throw SystemError(error, call: "fsync", object: path.displayText) }
    }
  }

  private static func parent(of path: ByteString) -> ByteString {
    var bytes = path.bytes
    while bytes.count > 1, bytes.last == 0x2f { bytes.removeLast() }
    guard let cut = bytes.lastIndex(of: 0x2f) else { return "." }
    return ByteString(bytes[..<max(1, cut)])
  }
}
