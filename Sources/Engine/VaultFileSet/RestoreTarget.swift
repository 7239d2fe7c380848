import Synchronization
import struct SystemPackage.Errno
import VaultModel
import VaultSystem

/// The directory below which a restore writes, and nowhere else.
package final class RestoreTarget: Sendable {
  let root: SharedDescriptor
  /// As it was given, for messages.
  package let path: ByteString
  package let policy: OverwritePolicy
  /// What was written, for whoever calls `synchronize`.
  package let backlog = WriteBacklog()
  /// Whether nothing was there before: what is below was made by this restore then, or beside it.
  let wasEmpty: Bool
  /// The target's own file system.
  private let device: UInt64?
  /// File systems that are mounted below the target and that directories of the restore lie on, by device.
  private let mounted = Mutex<[UInt64: FileSystem]>([:])
  /// Whose the files are that this process makes.
  private let maker = (user: CurrentProcess.userID, group: CurrentProcess.groupID)
  /// Bits that new files do not get, as far as is known.
  private let maskedMode = Atomic<UInt32>(0)
  /// Whether a directory or the file system gives files to others than this process.
  private let makesForeignFiles = Atomic(false)
  /// Whether a directory was met that hands access control lists down.
  private let handsListsDown = Atomic(false)
  /// Whether files are made without any name and get theirs when they are whole: where nothing was before, everything is on one
  /// file system, which was tried.
  package let makesUnnamedFiles: Bool

  /// Opens the directory, made with its parents if missing.
  ///
  /// - Parameter triesUnnamedFiles: without it, files have a temporary name until they are whole on every file system.
  /// - Throws: `.openTarget`.
  package convenience init(
    path: ByteString, policy: OverwritePolicy, triesUnnamedFiles: Bool = true
  ) throws(FileSetError) {
    guard !path.isEmpty, !path.bytes.contains(0) else { throw FileSetError(.invalidPath, path) }
    do throws(SystemError) {
      let root = SharedDescriptor(try Self.openOrMake(path))
      var stream = DirectoryStream()
      let isEmpty = (try? stream.isEmpty(root.number)) ?? false
      let tried = RestorePlace.temporaryName(UInt64.random(in: 0...UInt64.max))
      self.init(
        root, path, policy, wasEmpty: isEmpty,
        makesUnnamedFiles: triesUnnamedFiles && isEmpty && UnnamedFiles.canBeMade(in: root.number, trying: tried))
    } catch { throw FileSetError(.openTarget, path, error.errno) }
    if InheritedLists.areGiven(by: .descriptor(root.number)) { noteInheritance() }
  }

  /// Notes what a directory that was there lies on: a file system of its own may be mounted there.
  func noteFileSystem(of existing: FileAttributes, _ place: RestorePlace) {
    mounted.withLock { mounted in
      if existing.device == device || mounted[existing.device]?.directory != nil { return }
      let directory = try? SharedDescriptor(
        Descriptor.open(at: place.directory.number, place.name, [.readOnly, .directory, .noFollow]))
      mounted[existing.device] = FileSystem(path: place.shown, directory: directory)
    }
  }

  /// Puts what was restored on stable storage, and with it what else was written to the same file systems.
  ///
  /// - Parameter isEnd: whether nothing more is written. Only then is `sync` called for file systems below the target of which no
  ///   directory could be opened.
  /// - Returns: `.syncTarget` for each file system that it failed on: the system tells a failure once, and not again when called
  ///   again.
  package func synchronize(isEnd: Bool) -> [FileSetError] {
    let mounted = self.mounted.withLock { Array($0.values) }
    // Where no directory could be opened: of these nobody says what failed.
    if isEnd, mounted.contains(where: { $0.directory == nil }) { Descriptor.synchronizeAllFileSystems() }
    return ([FileSystem(path: path, directory: root)] + mounted).compactMap { fileSystem in
      do throws(Errno) {
        try fileSystem.directory?.synchronizeFileSystem()
        return nil
      } catch { return FileSetError(.syncTarget, fileSystem.path, error) }
    }
  }

  /// A file system, by a directory on it.
  private struct FileSystem {
    var path: ByteString
    /// Nil when it may not be read.
    var directory: SharedDescriptor?
  }

  /// Whether what is made below the target may have inherited access control lists.
  var inheritsLists: Bool { handsListsDown.load(ordering: .relaxed) }
  func noteInheritance() { handsListsDown.store(true, ordering: .relaxed) }

  /// Whether a file can be made with its owner, group and mode, so that nobody reads it who may not do so later.
  func makes(_ attributes: FileAttributes) -> Bool {
    attributes.owner == maker.user && attributes.group == maker.group && attributes.mode & 0o7000 == 0
      && attributes.mode & maskedMode.load(ordering: .relaxed) == 0 && !inheritsLists
      && !makesForeignFiles.load(ordering: .relaxed)
  }

  /// The process's mask took bits of a mode: files that are to have these are made closed from now on.
  func noteMask(_ bits: UInt32) { maskedMode.bitwiseOr(bits, ordering: .relaxed) }

  /// A file did not become what this process makes elsewhere.
  func noteForeignFiles() { makesForeignFiles.store(true, ordering: .relaxed) }

  private init(
    _ root: SharedDescriptor, _ path: ByteString, _ policy: OverwritePolicy, wasEmpty: Bool, makesUnnamedFiles: Bool
  ) {
    self.root = root
    device = (try? FileStatus.read(of: root.number))?.device
    self.wasEmpty = wasEmpty
    self.path = path
    self.policy = policy
    self.makesUnnamedFiles = makesUnnamedFiles
  }

  /// Opens the directory if it is there.
  ///
  /// - Throws: `.openTarget`.
  package static func existing(path: ByteString, policy: OverwritePolicy) throws(FileSetError) -> RestoreTarget? {
    guard !path.isEmpty, !path.bytes.contains(0) else { throw FileSetError(.invalidPath, path) }
    do throws(SystemError) {
      return RestoreTarget(
        SharedDescriptor(try Descriptor.open(path, flags)), path, policy, wasEmpty: false, makesUnnamedFiles: false)
    } catch {
      if error.errno == .noSuchFileOrDirectory { return nil }
      throw FileSetError(.openTarget, path, error.errno)
    }
  }

  private static let flags: OpenFlags = [.readOnly, .directory]

  private static func openOrMake(_ path: ByteString) throws(SystemError) -> Descriptor {
    do throws(SystemError) { return try Descriptor.open(path, flags) } catch {
      guard error.errno == .noSuchFileOrDirectory else { throw error }
    }
    // The operator's own path: links on it are followed.
    for (index, byte) in path.bytes.enumerated() where byte == 0x2f && index > 0 {
      try makeIfMissing(ByteString(path.bytes[..<index]))
    }
    try makeIfMissing(path)
    return try Descriptor.open(path, flags)
  }

  private static func makeIfMissing(_ path: ByteString) throws(SystemError) {
    do throws(Errno) {
      try DirectoryNames.makeDirectory(at: Descriptor.workingDirectory, path, mode: 0o777)
    } catch {
      if error == .fileExists || error == .isDirectory { return }
      throw SystemError(error, call: "mkdir", object: path.displayText)
    }
  }

  /// Where a stored path lands, for messages.
  func shownPath(_ directory: ByteString, _ name: ByteString? = nil) -> ByteString {
    var bytes = path.bytes
    if bytes.last == 0x2f { bytes.removeLast() }
    bytes += directory.bytes
    if let name {
      if bytes.last != 0x2f { bytes.append(0x2f) }
      bytes += name.bytes
    }
    return ByteString(bytes)
  }
}
