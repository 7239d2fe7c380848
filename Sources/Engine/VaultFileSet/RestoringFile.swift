import struct SystemPackage.Errno
import VaultModel
import VaultSystem

/// A regular file that is being restored without a name or under a temporary one; without `commit` it goes again.
package struct RestoringFile: ~Copyable, Sendable {
  private let place: RestorePlace
  private var descriptor: Descriptor?
  /// The descriptor's number, valid until `commit` closes it.
  private let number: Int32
  /// Whether it has its temporary name.
  private var isTemporary: Bool
  /// Whether it was made with the owner, the group and the mode that it is to have: two changes of its inode less.
  let isAsSaved: Bool

  // Made once: a list of flags that is written where it is used is an array for each file.
  private static let temporary: OpenFlags = [.readWrite, .create, .exclusive, .noFollow]
  private static let earlyInodeFlags: InodeFlags = [.compressed, .notCompressed, .noCopyOnWrite, .journaledData]

  /// - Parameter isProven: whether a file that was made just so turned out as saved.
  init(
    _ place: RestorePlace, _ attributes: FileAttributes, hasExtended: Bool, isProven: Bool
  ) throws(FileSetError) {
    self.place = place
    // Without its access control list the mode may let in more than with it.
    let isMaker = !hasExtended && place.target.makes(attributes)
    do throws(Errno) {
      var isTemporary = false
      var opened = try Self.make(place, mode: isMaker ? attributes.mode : 0o600, &isTemporary)
      switch isMaker ? Self.whatWasMade(opened.rawValue, attributes, isProven) : .closed(missing: 0) {
      case .asSaved: isAsSaved = true
      case .closed(let bits):
        place.target.noteMask(bits)
        isAsSaved = false
      case .foreign:
        // Nobody was to be let in by that mode: nothing has been written yet.
        place.target.noteForeignFiles()
        if isTemporary { place.removeTemporary() }
        opened = try Self.make(place, mode: 0o600, &isTemporary)
        isAsSaved = false
      }
      self.isTemporary = isTemporary
      number = opened.rawValue
      descriptor = consume opened
    } catch {
      throw FileSetError(.createFile, place.shown, error)
    }
    place.target.backlog.add(WriteBacklog.fileByteCount)
    if place.target.inheritsLists { InheritedLists.remove(from: .descriptor(number)) }
    // These say how data is written: they come before it. What is refused now is told when all flags are set.
    let early = attributes.inodeFlags.intersection(Self.earlyInodeFlags)
    if !early.isEmpty {
      var refused: UnsetAttributes = []
      AttributeSetting.add(early, to: number, &refused)
    }
  }

  private static func make(
    _ place: RestorePlace, mode: UInt32, _ isTemporary: inout Bool
  ) throws(Errno) -> Descriptor {
    if place.target.makesUnnamedFiles { return try UnnamedFiles.make(in: place.directory.number, mode: mode) }
    do throws(SystemError) {
      let file = try Descriptor.open(at: place.directory.number, place.temporaryName, temporary, mode: mode)
      isTemporary = true
      return file
    } catch { throw error.errno }
  }

  /// What a new file is compared with what it is to be.
  private enum Made {
    /// Owner, group and mode are those saved.
    case asSaved
    /// The mode comes later, and until then nobody is let in who is not let in then; bits of it that are missing.
    case closed(missing: UInt32)
    /// It is somebody else's, as a directory that hands its group down or a file system wants it.
    case foreign
  }

  private static func whatWasMade(_ number: Int32, _ attributes: FileAttributes, _ isProven: Bool) -> Made {
    if isProven { return .asSaved }
    guard let made = try? FileStatus.read(of: number), made.owner == attributes.owner, made.group == attributes.group
    else { return .foreign }
    if made.mode == attributes.mode { return .asSaved }
    return made.mode & ~attributes.mode == 0 ? .closed(missing: attributes.mode & ~made.mode) : .foreign
  }

  deinit {
    if isTemporary { place.removeTemporary() }
  }

  /// Where it lands, for messages.
  package var path: ByteString { place.shown }

  /// Writes bytes at an offset; what is never written is a hole. They are durable after `RestoreTarget.synchronize`.
  ///
  /// - Throws: `.writeFile`, with ENOSPC when the disk is full.
  package func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(FileSetError) {
    do throws(Errno) {
      guard let start = Int64(exactly: offset), !start.addingReportingOverflow(Int64(bytes.count)).overflow else {
        throw .fileTooLarge
      }
      try descriptor?.writeAll(bytes, at: start)
      place.target.backlog.add(bytes.count)
    } catch { throw FileSetError(.writeFile, place.shown, error) }
  }

  /// Makes the file end at `size`; what is not written is a hole.
  ///
  /// - Throws: `.writeFile`, with EFBIG when the file system has no files of this size.
  package func setSize(_ size: UInt64) throws(FileSetError) {
    do throws(Errno) { try OpenFile.setSize(number, size) } catch {
      throw FileSetError(.writeFile, place.shown, error)
    }
  }

  /// What proves later that a name still stands for this file: asked for when it has several.
  package func identity() throws(FileSetError) -> FileIdentity {
    do throws(Errno) { return FileIdentity(try FileStatus.read(of: number)) } catch {
      throw FileSetError(.writeFile, place.shown, error)
    }
  }

  /// Sets all attributes but the inode flags, and gives the file its name.
  ///
  /// - Returns: `.exists` when something took the name meanwhile that must not be replaced; the file is then gone.
  package consuming func commit(
    attributes: FileAttributes, extended: ByteString = ""
  ) throws(FileSetError) -> RestoreOutcome {
    let unset = AttributeSetting.apply(attributes, extended: extended, to: number, isAsSaved: isAsSaved)
    if isTemporary {
      try close()
      guard try place.takeName(modified: attributes.modified) else { return .exists }
      isTemporary = false
    } else {
      guard try place.giveName(to: number, modified: attributes.modified) else { return .exists }
      try close()
    }
    return .written(unset)
  }

  private mutating func close() throws(FileSetError) {
    guard let open = descriptor.take() else { return }
    do throws(SystemError) { try open.close() } catch {
      throw FileSetError(.writeFile, place.shown, error.errno)
    }
  }

  /// Gives the file up: its temporary name goes.
  package consuming func discard() { _ = consume self }
}
