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
    let temporary = temporaryName(of: path)
    let file = try Descriptor.open(temporary, [.writeOnly, .create, .truncate, .noFollow], mode: 0o600)
    try fill(file, bytes, path: temporary)
    do throws(Errno) {
      try DirectoryNames.rename(at: Descriptor.workingDirectory, temporary, to: path)
    } catch { throw SystemError(error, call: "rename", object: path.displayText) }
    try synchronizeDirectory(parent(of: path))
  }

  /// Makes new files, readable by their owner only: all of them, or none when one cannot be made. What is there is never
  /// replaced.
  ///
  /// - Durability: after it returned they are on stable storage; a crash before that may leave some, each of them whole.
  /// - Throws: `SystemError` with `fileExists` on a path that is taken.
  package static func create(_ files: [(path: ByteString, bytes: [UInt8])]) throws(SystemError) {
    var made: [ByteString] = []
    do throws(SystemError) {
      for file in files {
        do throws(Errno) {
          _ = try FileStatus.read(at: Descriptor.workingDirectory, name: file.path)
        } catch {
          if error == .noSuchFileOrDirectory { continue }
          throw SystemError(error, call: "stat", object: file.path.displayText)
        }
        throw SystemError(.fileExists, call: "open", object: file.path.displayText)
      }
      for file in files {
        let temporary = temporaryName(of: file.path)
        // What a crash left of an earlier try.
        try? DirectoryNames.remove(at: Descriptor.workingDirectory, temporary)
        let descriptor = try Descriptor.open(temporary, [.writeOnly, .create, .exclusive, .noFollow], mode: 0o600)
        made.append(temporary)
        try fill(descriptor, file.bytes, path: temporary)
      }
      for file in files {
        try giveName(file.path, to: temporaryName(of: file.path))
        made.append(file.path)
      }
      for directory in Set(files.map { parent(of: $0.path) }) { try synchronizeDirectory(directory) }
    } catch {
      for path in made { try? DirectoryNames.remove(at: Descriptor.workingDirectory, path) }
      throw error
    }
  }

  private static func temporaryName(of path: ByteString) -> ByteString { ByteString(path.bytes + Array(".new".utf8)) }

  private static func fill(
    _ file: consuming Descriptor, _ bytes: [UInt8], path: ByteString
  ) throws(SystemError) {
    var failure: Errno?
    bytes.withUnsafeBytes { raw in
      do throws(Errno) {
        try file.writeAll(raw)
        try file.synchronize()
      } catch { failure = error }
    }
    if let failure { throw SystemError(failure, call: "write", object: path.displayText) }
    try file.close()
  }

  /// Gives a file its name unless that is taken; a link does it where a rename cannot.
  private static func giveName(_ path: ByteString, to temporary: ByteString) throws(SystemError) {
    let directory = Descriptor.workingDirectory
    do throws(Errno) {
      do throws(Errno) {
        try DirectoryNames.renameWithoutReplacing(at: directory, temporary, to: path)
      } catch {
        guard error == .invalidArgument || error == .noFunction else { throw error }
        try DirectoryNames.makeLink(at: directory, path, from: directory, temporary)
        try DirectoryNames.remove(at: directory, temporary)
      }
    } catch { throw SystemError(error, call: "rename", object: path.displayText) }
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

  /// Reads a small regular file whole; for names that somebody else chose, such as an include's: it never waits, as on a
  /// FIFO, and takes no more memory than the file has bytes.
  ///
  /// - Throws: `SystemError` with `invalidArgument` for what is no regular file, with `fileTooLarge` for more than `limit`.
  package static func readRegular(_ path: ByteString, limit: Int) throws(SystemError) -> [UInt8] {
    let file = try Descriptor.open(path, [.readOnly, .nonBlocking])
    var bytes: [UInt8] = []
    do throws(Errno) {
      let status = try FileStatus.read(of: file.rawValue)
      guard status.type == .regular else { throw .invalidArgument }
      guard status.size <= UInt64(limit) else { throw .fileTooLarge }
      // One byte more than it has shows whether it grew meanwhile.
      bytes = [UInt8](repeating: 0, count: Int(status.size) + 1)
      let count = try read(file, into: &bytes)
      guard count < bytes.count || count <= limit else { throw .fileTooLarge }
      bytes.removeLast(bytes.count - count)
    } catch { throw SystemError(error, call: "read", object: path.displayText) }
    return bytes
  }

  /// Reads until the bytes are full or the file ends.
  private static func read(_ file: borrowing Descriptor, into bytes: inout [UInt8]) throws(Errno) -> Int {
    var done = 0
    while done < bytes.count {
      let result: Result<Int, Errno> = bytes.withUnsafeMutableBytes { buffer in
        do throws(Errno) {
          return .success(try file.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[done...])))
        } catch { return .failure(error) }
      }
      let count = try result.get()
      if count == 0 { break }
      done += count
    }
    return done
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
