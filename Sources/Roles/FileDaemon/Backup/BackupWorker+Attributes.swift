import struct SystemPackage.Errno
import VaultFileSet
import VaultModel
import VaultProtocol
import VaultSystem

// Entries with all their attributes.
extension BackupWorker {
  /// Stores an entry that has no content.
  mutating func storeAttributes(_ work: borrowing WorkItem) throws {
    guard let directory = work.unit.directories[work.item.directory].directory, let name = work.name.baseAddress else {
      throw FormatError(.malformed, "unit of work")
    }
    var attributes = work.item.attributes
    var failure: Int32 = 0
    if attributes.type == .directory {
      do throws(Errno) {
        let opened = try DirectoryReader(in: directory, name: name.assumingMemoryBound(to: CChar.self))
        attributes.inodeFlags = opened.inodeFlags ?? attributes.inodeFlags
        failure = opened.readExtendedAttributes(&extended)
      } catch {
        let unread = extended.read(in: directory, name: ByteString(work.name))
        failure = Self.mayBePassed(error) ? unread : error.rawValue
      }
    } else {
      // Opening a fifo or a device does something to it.
      attributes.inodeFlags = []
      failure = extended.read(in: directory, name: ByteString(work.name))
    }
    try entry(work, attributes, .none, failure: failure)
  }

  /// Whether a directory that cannot be opened still has all that can be had: one that may not be read, which is told when it is
  /// to be listed, and one that is gone.
  private static func mayBePassed(_ error: Errno) -> Bool {
    [.permissionDenied, .noSuchFileOrDirectory, .notDirectory, .tooManySymbolicLinkLevels].contains(error)
  }

  /// Stores a further name of a file whose content is known under another one, which had it with the attributes `first`.
  ///
  /// It is read when anything happened to the file since, or between the walks of its names: an entry must not have the
  /// attributes of now with the content of then.
  mutating func follow(_ work: WorkItem, _ content: ContentReference, _ first: FileAttributes) throws {
    guard let directory = work.unit.directories[work.item.directory].directory, let name = work.name.baseAddress else {
      throw FormatError(.malformed, "unit of work")
    }
    do {
      let file = try FileReader.examined(in: directory, name: name.assumingMemoryBound(to: CChar.self))
      guard first.changed == work.item.attributes.changed, work.item.attributes.isUnchanged(in: file.attributes),
        work.item.attributes.device == file.attributes.device
      else { return try readFile(work.comparing(with: content)) }
      try entry(work, file, content)
      count(work.item, content.digest)
    } catch let trouble as FileReadError {
      count(work.item, work.item.comparison?.digest)
      problem(work, trouble.phase, trouble.errorNumber)
    }
  }

  /// Stores the entry of an open file.
  mutating func entry(
    _ work: borrowing WorkItem, _ file: borrowing FileReader, _ content: ContentReference
  ) throws {
    try entry(work, file.attributes, content, failure: file.readExtendedAttributes(&extended))
  }

  /// Writes an entry with the extended attributes that were just read.
  private mutating func entry(
    _ work: borrowing WorkItem, _ attributes: FileAttributes, _ content: ContentReference, failure: Int32
  ) throws {
    let reference = try self.reference(for: work.item.index)
    nameDirectories(work.unit, through: work.item.directory)
    entries.entry(
      index: work.item.index, directory: work.directoryNumber, name: work.name, attributes, content,
      linkTarget: work.target, extended: reference)
    if reference?.carrier.index == work.item.index { try carry(work) }
    if failure != 0 { problem(work, .attributes, failure) }
  }

  private mutating func reference(for index: UInt64) throws -> ExtendedReference? {
    let list = extended.list
    guard list.count > 0 else { return nil }
    try hasher.begin(.sha256)
    try hasher.add(list, at: 0)
    let digest = try hasher.finish(size: UInt64(list.count))
    return ExtendedReference(
      carrier: ContentIdentifier(session: context.session, index: context.lists.carrier(of: digest, for: index)),
      byteCount: UInt32(list.count), digest: digest)
  }

  /// Writes the list behind its entry, in as many records and groups as it takes.
  private mutating func carry(_ work: borrowing WorkItem) throws {
    let total = extended.list.count
    var offset = 0
    while offset < total {
      let end = min(total, offset + GroupLimits.extendedDataLimit)
      // Problems of the entry still fit behind it.
      if entries.count + end - offset + GroupLimits.extendedOverhead > GroupLimits.rawLimit - GroupLimits.entryLimit {
        try emitEntries(work.unit, mayCommit: false)
      }
      entries.extendedAttributes(
        index: work.item.index, offset: UInt32(offset), total: UInt32(total),
        UnsafeRawBufferPointer(rebasing: extended.list[offset..<end]))
      offset = end
    }
  }
}
