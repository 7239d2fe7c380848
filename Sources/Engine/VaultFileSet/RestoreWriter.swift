import struct SystemPackage.Errno
import VaultModel
import VaultProtocol
import VaultSystem

/// A file that this restore made, as the source of further hard links.
package struct RestoredFile: Hashable, Sendable {
  /// The stored absolute path of its directory.
  package var directory: ByteString
  package var name: ByteString
  package var identity: FileIdentity

  package init(directory: ByteString, name: ByteString, identity: FileIdentity) {
    self.directory = directory
    self.name = name
    self.identity = identity
  }
}

/// Restores entries below the target: one for each thread, which shares nothing but the target.
///
/// Directories are named by their stored absolute paths; every name is validated again. What is made has a temporary name
/// (`.vault-restore-…`), a file where the system can do so no name at all, until it is whole, and none stays behind after a
/// failure.
package struct RestoreWriter: ~Copyable {
  let target: RestoreTarget
  var cache: RestoreDirectoryCache
  private var nextTemporary: UInt64
  /// How the last file was made that turned out as saved, in a directory that nobody else can change.
  private var proof: Proof?

  /// What a new file's owner, group and mode depend on: of two files with the same proof one look is enough, as only who owns a
  /// directory gives it a group that it hands down, or a list.
  private struct Proof {
    var directory: SharedDescriptor
    var owner: UInt32
    var group: UInt32
    var mode: UInt32

    func covers(_ attributes: FileAttributes, in directory: SharedDescriptor) -> Bool {
      directory === self.directory && attributes.owner == owner && attributes.group == group && attributes.mode == mode
    }
  }

  /// - Bounds: `randomSeed` differs between the threads of a restore and between restores.
  package init(target: RestoreTarget, randomSeed: UInt64, directoryLimit: Int = 64) {
    self.target = target
    cache = RestoreDirectoryCache(target: target, limit: directoryLimit)
    nextTemporary = randomSeed
  }

  /// Begins a regular file; nil when something has its name that must not be replaced.
  ///
  /// - Parameter hasExtended: whether extended attributes come when it is committed.
  /// - Throws: `.unsafeName`, `.notADirectory`, `.createDirectory`, `.createFile`.
  package mutating func writeFile(
    directory: ByteString, name: ByteString, attributes: FileAttributes, hasExtended: Bool
  ) throws(FileSetError) -> RestoringFile? {
    let place = try place(directory, name)
    if try place.isTakenAlready(for: attributes) { return nil }
    let isProven = proof?.covers(attributes, in: place.directory) ?? false
    let file = try RestoringFile(place, attributes, hasExtended: hasExtended, isProven: isProven)
    if file.isAsSaved, !isProven { proof = proof(attributes, in: place.directory) }
    return file
  }

  /// Nil for a directory that somebody else may change: every one that is not as this restore makes them.
  private func proof(_ attributes: FileAttributes, in directory: SharedDescriptor) -> Proof? {
    if proof?.directory !== directory {
      guard let status = try? FileStatus.read(of: directory.number), status.owner == CurrentProcess.userID,
        status.mode == 0o700
      else { return nil }
    }
    return Proof(directory: directory, owner: attributes.owner, group: attributes.group, mode: attributes.mode)
  }

  /// Makes a symbolic link with its owner, extended attributes and times.
  package mutating func createSymbolicLink(
    directory: ByteString, name: ByteString, target: ByteString, attributes: FileAttributes,
    extended: ByteString = ""
  ) throws(FileSetError) -> RestoreOutcome {
    let place = try place(directory, name)
    guard !target.isEmpty, !target.bytes.contains(0) else { throw FileSetError(.unsafeName, place.shown) }
    var attributes = attributes
    attributes.type = .symbolicLink
    return try create(place, attributes, extended) { () throws(Errno) in
      try DirectoryNames.makeSymbolicLink(at: place.directory.number, place.temporaryName, target: target)
    }
  }

  /// Makes a fifo, a socket or a device node with its attributes.
  package mutating func createNode(
    directory: ByteString, name: ByteString, attributes: FileAttributes,
    extended: ByteString = ""
  ) throws(FileSetError) -> RestoreOutcome {
    let place = try place(directory, name)
    return try create(place, attributes, extended) { () throws(Errno) in
      try DirectoryNames.makeNode(
        at: place.directory.number, place.temporaryName, type: attributes.type,
        specialDevice: attributes.specialDevice)
    }
  }

  /// Makes another name for a file that this restore made.
  ///
  /// - Throws: `.linkPartnerChanged` when the source's name stands for another file now.
  package mutating func createHardLink(
    directory: ByteString, name: ByteString, to source: RestoredFile, modified: FileTime
  ) throws(FileSetError) -> RestoreOutcome {
    let place = try place(directory, name)
    if try place.isTaken(for: modified) { return .exists }
    let from = try self.place(source.directory, source.name)
    do throws(Errno) {
      try DirectoryNames.makeLink(
        at: place.directory.number, place.temporaryName, from: from.directory.number, source.name)
    } catch { throw FileSetError(.createLink, place.shown, error) }
    // Renaming one name of a file over another of its names does nothing and succeeds.
    defer { place.removeTemporary() }
    let made = try FileSetError.wrapping(.createLink, place.shown) { () throws(Errno) in
      try FileStatus.read(at: place.directory.number, name: place.temporaryName)
    }
    guard made.type != .directory, FileIdentity(made) == source.identity else {
      throw FileSetError(.linkPartnerChanged, from.shown)
    }
    return try place.takeName(modified: modified) ? .written([]) : .exists
  }

  /// What was just made under a name, as the source of further hard links.
  package mutating func made(directory: ByteString, name: ByteString) throws(FileSetError) -> RestoredFile {
    let place = try place(directory, name)
    guard let status = try place.existing() else { throw FileSetError(.linkPartnerChanged, place.shown) }
    return RestoredFile(directory: directory, name: name, identity: FileIdentity(status))
  }

  /// Sets the inode flags of a file that this restore made, once it has all its names: some forbid giving it more.
  package mutating func setInodeFlags(
    _ flags: InodeFlags, of file: RestoredFile
  ) throws(FileSetError) -> UnsetAttributes {
    let place = try place(file.directory, file.name)
    var unset: UnsetAttributes = []
    do throws(SystemError) {
      let descriptor = try Descriptor.open(
        at: place.directory.number, file.name, [.readOnly, .noFollow, .nonBlocking])
      do throws(Errno) {
        guard FileIdentity(try FileStatus.read(of: descriptor.rawValue)) == file.identity else {
          throw .staleNFSFileHandle
        }
        AttributeSetting.add(flags, to: descriptor.rawValue, &unset)
      } catch { unset.insert(.inodeFlags, error) }
    } catch { unset.insert(.inodeFlags, error.errno) }
    return unset
  }

  private func create(
    _ place: RestorePlace, _ attributes: FileAttributes, _ extended: ByteString,
    _ make: () throws(Errno) -> Void
  ) throws(FileSetError) -> RestoreOutcome {
    if try place.isTakenAlready(for: attributes) { return .exists }
    try FileSetError.wrapping(.createFile, place.shown, make)
    var isNamed = false
    defer { if !isNamed { place.removeTemporary() } }
    if target.inheritsLists, attributes.type != .symbolicLink {
      InheritedLists.remove(at: place.directory.number, place.temporaryName)
    }
    let unset = AttributeSetting.apply(
      attributes, extended: extended, at: place.directory.number, place.temporaryName)
    isNamed = try place.takeName(modified: attributes.modified)
    return isNamed ? .written(unset) : .exists
  }

  /// Validates a name and opens its directory.
  mutating func place(_ directory: ByteString, _ name: ByteString) throws(FileSetError) -> RestorePlace {
    guard name.bytes.withUnsafeBytes({ NameRules.isName($0) }) else { throw FileSetError(.unsafeName, name) }
    nextTemporary &+= 0x9e37_79b9_7f4a_7c15
    return RestorePlace(
      target: target, directory: try cache.open(directory), directoryPath: directory, name: name,
      temporaryNumber: nextTemporary)
  }
}
