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
  /// Whether nothing was there before: what is below was made by this restore then, or beside it.
  let wasEmpty: Bool
  /// Whose the files are that this process makes.
  private let maker = (user: CurrentProcess.userID, group: CurrentProcess.groupID)
  /// Bits that new files do not get, as far as is known.
  private let maskedMode = Atomic<UInt32>(0)
  /// Whether a directory or the file system gives files to others than this process.
  private let makesForeignFiles = Atomic(false)
  /// Whether a directory was met that hands access control lists down.
  private let handsListsDown = Atomic(false)
  /// Whether files are made without any name and get theirs when they are whole, where the file system has such files.
  private let triesUnnamedFiles: Bool

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
      self.init(
        root, path, policy, wasEmpty: Self.isEmpty(root),
        triesUnnamedFiles: triesUnnamedFiles && Self.namesUnnamedFiles(root))
    } catch { throw FileSetError(.openTarget, path, error.errno) }
    if InheritedLists.areGiven(by: .descriptor(root.number)) { noteInheritance() }
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
    _ root: SharedDescriptor, _ path: ByteString, _ policy: OverwritePolicy, wasEmpty: Bool, triesUnnamedFiles: Bool
  ) {
    self.root = root
    self.wasEmpty = wasEmpty
    self.path = path
    self.policy = policy
    self.triesUnnamedFiles = triesUnnamedFiles
  }

  /// Opens the directory if it is there.
  ///
  /// - Throws: `.openTarget`.
  package static func existing(path: ByteString, policy: OverwritePolicy) throws(FileSetError) -> RestoreTarget? {
    guard !path.isEmpty, !path.bytes.contains(0) else { throw FileSetError(.invalidPath, path) }
    do throws(SystemError) {
      return RestoreTarget(
        SharedDescriptor(try Descriptor.open(path, flags)), path, policy, wasEmpty: false, triesUnnamedFiles: false)
    } catch {
      if error.errno == .noSuchFileOrDirectory { return nil }
      throw FileSetError(.openTarget, path, error.errno)
    }
  }

  private static let flags: OpenFlags = [.readOnly, .directory]

  private static func isEmpty(_ directory: SharedDescriptor) -> Bool {
    var isEmpty = true
    var stream = DirectoryStream()
    do throws(Errno) {
      try stream.forEachName(in: directory.number) { _ in
        isEmpty = false
        return false
      }
    } catch { return false }
    return isEmpty
  }

  // MARK: Files without a name

  /// Makes a file without a name in a directory below; nil where there are none, or this process could give them none.
  func makeUnnamedFile(in directory: SharedDescriptor, mode: UInt32) throws(Errno) -> Descriptor? {
    guard triesUnnamedFiles else { return nil }
    do throws(Errno) { return try Descriptor.makeUnnamed(in: directory.number, mode: mode) } catch {
      // Another file system, mounted below the target.
      if error == .notSupported || error == .isDirectory { return nil }
      throw error
    }
  }

  /// Whether this process can give a name to a file without one, which depends on the kernel, the file system and privileges:
  /// tried with a name that is taken, so that nothing comes of it.
  private static func namesUnnamedFiles(_ directory: SharedDescriptor) -> Bool {
    do throws(Errno) {
      let file = try Descriptor.makeUnnamed(in: directory.number, mode: 0o600)
      try DirectoryNames.makeName(at: directory.number, ".", of: file.rawValue)
      return false
    } catch { return error == .fileExists }
  }

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
