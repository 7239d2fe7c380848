import SystemPackage
import VaultCrypto
import VaultFileSet
import VaultModel
import VaultProtocol
import VaultSystem

// Reading one regular file: every byte once, digested on the way into its group.
extension BackupWorker {
  /// Stores a file's content, or refers to content that is known to be the same.
  ///
  /// - Throws: `FileReadError` for the file's own trouble.
  mutating func store(_ work: borrowing WorkItem) throws -> LinkPromise.Outcome {
    guard let directory = work.unit.directories[work.item.directory].directory, let name = work.name.baseAddress else {
      throw FileReadError(phase: .open, errorNumber: Errno.noSuchFileOrDirectory.rawValue)
    }
    let readAt = context.clock.now()
    let file = try FileReader(in: directory, name: name.assumingMemoryBound(to: CChar.self))
    source = Source(openedAt: readAt, granularityNanoseconds: directory.granularityNanoseconds)
    try takeRawBuffer()
    if case .resume(let halfSent) = work.item.action, halfSent.attributes.isUnchanged(in: file.attributes),
      halfSent.committedBytes <= file.attributes.size
    {
      return try large(file, work, index: halfSent.index, from: halfSent.committedBytes)
    }
    var known: (ContentIdentifier, SealedContent)?
    if case .compare(.stored(let identifier, let sealed)) = work.item.action, sealed.algorithm == .sha256,
      sealed.size == file.attributes.size
    {
      known = (identifier, sealed)
    }
    guard file.attributes.size > UInt64(GroupLimits.contentDataLimit) else { return try small(file, work, known) }
    progress.reading(work.path)
    defer { progress.reading(nil) }
    if let known, let outcome = try reference(file, work, known) { return outcome }
    try flush(work.unit)
    try entry(work, file, .own)
    return try large(file, work, index: work.item.index, from: 0)
  }

  // MARK: Small files

  /// Reads a file that fits one record into the data group; a failure or a known content leaves the group as it was.
  private mutating func small(
    _ file: borrowing FileReader, _ work: borrowing WorkItem, _ known: (ContentIdentifier, SealedContent)?
  ) throws -> LinkPromise.Outcome {
    let size = Int(file.attributes.size)
    if data.room < size { try flush(work.unit) }
    let content = UnsafeMutableRawBufferPointer(rebasing: data.nextContent[..<size])
    let count = try readFully(file, into: content, at: 0)
    try hasher.begin()
    try hasher.update(UnsafeRawBufferPointer(rebasing: content[..<count]))
    let sealed = try seal(file, size: UInt64(count))
    if let known, known.1.digest == sealed.digest, !sealed.flags.contains(.changedWhileReading) {
      return try refer(file, work, known, flags: sealed.flags)
    }
    try entry(work, file, .own)
    data.append(index: work.item.index, offset: 0, byteCount: count)
    counters.bytesSent += UInt64(count)
    return finish(file, work, index: work.item.index, sealed)
  }

  // MARK: Large files

  /// Digests a large file whose content is thought to be known; nil when it is not, and the file is then read again to be stored.
  private mutating func reference(
    _ file: borrowing FileReader, _ work: borrowing WorkItem, _ known: (ContentIdentifier, SealedContent)
  ) throws -> LinkPromise.Outcome? {
    try flush(work.unit)
    try hasher.begin()
    try digest(file, upTo: file.attributes.size)
    let sealed = try seal(file, size: file.attributes.size)
    guard sealed.digest == known.1.digest, !sealed.flags.contains(.changedWhileReading) else { return nil }
    return try refer(file, work, known, flags: sealed.flags)
  }

  /// Sends a large file's bytes from `offset` on, a record to a group; what lies before is read for the digest only.
  private mutating func large(
    _ file: borrowing FileReader, _ work: borrowing WorkItem, index: UInt64, from offset: UInt64
  ) throws -> LinkPromise.Outcome {
    try emitEntries(work.unit, mayCommit: true)
    try hasher.begin()
    try digest(file, upTo: offset)
    let size = file.attributes.size
    var position = offset
    while position < size, !context.isStopping {
      try takeRawBuffer()
      let wanted = Int(min(UInt64(data.room), size - position))
      let content = UnsafeMutableRawBufferPointer(rebasing: data.nextContent[..<wanted])
      let count = try readFully(file, into: content, at: position)
      if count == 0 { break }
      try hasher.update(UnsafeRawBufferPointer(rebasing: content[..<count]))
      data.append(index: index, offset: position, byteCount: count)
      counters.bytesSent += UInt64(count)
      position += UInt64(count)
      try emitDataLater(work.unit)
      if count < wanted { break }
    }
    // A stop in the middle leaves the file half-sent: the next attempt goes on from its last commit.
    if position < size, context.isStopping {
      work.unit.isCut = true
      return .failed
    }
    try takeRawBuffer()
    return finish(file, work, index: index, try seal(file, size: position))
  }

  /// Adds the next bytes of a file to the digest, up to a position, through the data group's memory.
  private mutating func digest(_ file: borrowing FileReader, upTo end: UInt64) throws {
    var position: UInt64 = 0
    while position < end, !context.isStopping {
      let wanted = Int(min(UInt64(data.room), end - position))
      let buffer = UnsafeMutableRawBufferPointer(rebasing: data.nextContent[..<wanted])
      let count = try readFully(file, into: buffer, at: position)
      guard count > 0 else { throw FileReadError(phase: .changed, errorNumber: 0) }
      try hasher.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
      position += UInt64(count)
    }
  }

  // MARK: Ends

  private mutating func refer(
    _ file: borrowing FileReader, _ work: borrowing WorkItem, _ known: (ContentIdentifier, SealedContent),
    flags: SealFlags
  ) throws -> LinkPromise.Outcome {
    var sealed = known.1
    sealed.flags = flags
    counters.add(sealed.size, to: \.bytesKnown)
    let content = ContentReference.stored(known.0, sealed)
    try entry(work, file, content)
    return .sealed(content, file.attributes)
  }

  private mutating func finish(
    _ file: borrowing FileReader, _ work: borrowing WorkItem, index: UInt64, _ sealed: SealedContent
  ) -> LinkPromise.Outcome {
    seals.seal(index: index, sealed)
    if sealed.flags.contains(.changedWhileReading) {
      problem(work, .changed, 0)
      return .failed
    }
    return .sealed(.stored(ContentIdentifier(session: context.session, index: index), sealed), file.attributes)
  }

  /// Ends the digest and looks whether the file changed meanwhile.
  private mutating func seal(_ file: borrowing FileReader, size: UInt64) throws -> SealedContent {
    let digest = try hasher.finish()
    let before = file.attributes
    let after = try file.finalAttributes()
    var flags: SealFlags = []
    if size != before.size || FileReader.isChanged(before: before, after: after) {
      flags.insert(.changedWhileReading)
      if size < before.size { flags.insert(.partial) }
    }
    let isRacy = FileReader.isRacy(
      changed: after.changed, readAt: source.openedAt, granularityNanoseconds: source.granularityNanoseconds)
    if isRacy { flags.insert(.racy) }
    return SealedContent(size: size, algorithm: .sha256, digest: digest, flags: flags)
  }

  private mutating func readFully(
    _ file: borrowing FileReader, into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64
  ) throws -> Int {
    let count = try file.read(into: buffer, at: offset)
    counters.bytesRead += UInt64(count)
    tell(count, of: file.attributes.size)
    return count
  }
}

extension FileAttributes {
  /// Whether a file's identity, which this is, is still what it was: inode, size, mtime and ctime.
  func isUnchanged(in now: FileAttributes) -> Bool {
    inode == now.inode && size == now.size && modified == now.modified && changed == now.changed
  }
}
