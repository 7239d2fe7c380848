import SystemPackage
import VaultCrypto
import VaultFileSet
import VaultModel
import VaultProtocol
import VaultSystem

// Reading one regular file: every byte once, into its group, and digested there.
extension BackupWorker {
  /// Stores a file's content, or refers to content that is known to be the same.
  ///
  /// - Throws: `FileReadError` for the file's own trouble.
  mutating func store(_ work: borrowing WorkItem) throws -> LinkPromise.Outcome {
    guard let directory = work.unit.directories[work.item.directory].directory, let name = work.name.baseAddress else {
      throw FileReadError(phase: .open, errorNumber: Errno.noSuchFileOrDirectory.rawValue)
    }
    let readAt = context.clock.now()
    var file = try FileReader(
      in: directory, name: name.assumingMemoryBound(to: CChar.self), walked: work.item.attributes)
    source = Source(openedAt: readAt, granularityNanoseconds: directory.granularityNanoseconds)
    try takeRawBuffer()
    if let outcome = try asWalked(&file, work) { return outcome }
    try file.examine()
    if case .resume(let halfSent) = work.item.action, halfSent.attributes.isUnchanged(in: file.attributes),
      let outcome = try resume(file, work, halfSent)
    {
      return outcome
    }
    let isLarge = file.attributes.size > UInt64(GroupLimits.contentDataLimit)
    // What a small file's records take is never more than if it had no holes.
    if isLarge || data.room < Int(file.attributes.size) { try flush(work.unit) }
    var known = work.item.known(of: file.attributes.size)
    if isLarge { progress.reading(work.path) }
    defer { if isLarge { progress.reading(nil) } }
    // It is compared by what the known content was digested by, whatever holes it has now.
    if let candidate = known, isLarge || candidate.1.algorithm != file.algorithm {
      if let outcome = try reference(file, work, candidate) { return outcome }
      known = nil
    }
    guard isLarge else { return try small(&file, work, known, file.algorithm) }
    // A commit inside the file must not leave anything unsealed behind it.
    try emitSeals(work.unit, mayCommit: false)
    try entry(work, file, .own)
    var pieces = ContentPieces(of: file, file.algorithm)
    try hasher.begin(file.algorithm)
    return try large(file, work, index: work.item.index, &pieces)
  }

  // MARK: Small files

  /// Reads a small file that is thought to be as it was walked; nil when it is to be examined first.
  private mutating func asWalked(
    _ file: inout FileReader, _ work: borrowing WorkItem
  ) throws -> LinkPromise.Outcome? {
    let size = work.item.attributes.size
    let known = work.item.known(of: size)
    guard size <= UInt64(GroupLimits.contentDataLimit), known?.1.algorithm != .sha256OfExtents, !work.item.mayHaveHoles
    else {
      return nil
    }
    if case .resume = work.item.action { return nil }
    if data.room < Int(size) { try flush(work.unit) }
    do { return try small(&file, work, known, .sha256) } catch let trouble as FileReadError {
      // The trouble may be that something else was opened; the file's own is not asked for twice.
      if trouble.phase == .read, trouble.errorNumber != 0, try file.isAsWalked() { throw trouble }
      return nil
    }
  }

  /// Reads a file whose records fit one group into the data group; a failure or a known content leaves the group as it was.
  ///
  /// - Throws: `FileReadError`, with phase `.changed` when it was not examined and is not as it was walked.
  private mutating func small(
    _ file: inout FileReader, _ work: borrowing WorkItem, _ known: (ContentIdentifier, SealedContent)?,
    _ algorithm: DigestAlgorithm
  ) throws -> LinkPromise.Outcome {
    let mark = data.mark
    var pieces = ContentPieces(of: file, algorithm)
    var sentByteCount: UInt64 = 0
    // A digest that nobody waits for comes with those of the group's other files; its content is one piece.
    let isBatched =
      algorithm == .sha256 && known == nil && work.item.promise == nil && work.item.comparison == nil
    let size: UInt64
    let flags: SealFlags
    do {
      try hasher.begin(algorithm, isDigested: !isBatched)
      while let piece = try pieces.next(in: file) {
        if algorithm == .sha256OfExtents, data.room < piece.count {
          // Holes smaller than a record's header: no file system has them but one that is made up.
          data.rewind(to: mark)
          return try small(&file, work, nil, .sha256)
        }
        let count = try append(piece, of: file, index: work.item.index, isDigested: !isBatched)
        sentByteCount += UInt64(count)
        if count < piece.count { break }
      }
      if file.isExamined {
        (size, flags) = summary(file, algorithm, after: try file.finalAttributes())
      } else if try file.isAsWalked() {
        (size, flags) = summary(file, algorithm, after: file.attributes)
      } else {
        throw FileReadError(phase: .changed, errorNumber: 0)
      }
    } catch {
      data.rewind(to: mark)
      throw error
    }
    if isBatched {
      try entry(work, file, .own)
      counters.bytesSent += sentByteCount
      batch.add(UnsafeRawBufferPointer(rebasing: data.bytes.suffix(Int(sentByteCount))))
      unsealed.append(UnsealedContent(index: work.item.index, size: size, flags: flags))
      guard flags.contains(.changedWhileReading) else { return .later }
      problem(work, .changed, 0)
      return .failed
    }
    let sealed = SealedContent(
      size: size, algorithm: algorithm, digest: try hasher.finish(size: size), flags: flags)
    if let known, known.1.digest == sealed.digest, !sealed.flags.contains(.changedWhileReading) {
      data.rewind(to: mark)
      return try refer(file, work, known, flags: sealed.flags)
    }
    try entry(work, file, .own)
    counters.bytesSent += sentByteCount
    return try finish(file, work, index: work.item.index, sealed)
  }

  /// Reads a piece into the data group.
  ///
  /// - Parameter isDigested: whether it is added to the digest, too.
  /// - Returns: how many bytes there were: fewer at the end of a file that became shorter.
  private mutating func append(
    _ piece: Range<UInt64>, of file: borrowing FileReader, index: UInt64, isDigested: Bool = true
  ) throws -> Int {
    let content = UnsafeMutableRawBufferPointer(rebasing: data.nextContent[..<piece.count])
    let count = try read(piece, of: file, into: content)
    guard count > 0 else { return 0 }
    if isDigested {
      try hasher.add(UnsafeRawBufferPointer(rebasing: content[..<count]), at: piece.lowerBound)
    } else {
      hasher.skip(count, at: piece.lowerBound)
    }
    data.append(index: index, offset: piece.lowerBound, byteCount: count)
    return count
  }

  // MARK: Known contents

  /// Digests a file whose content is thought to be known; nil when it is not, and the file is then read again to be stored.
  private mutating func reference(
    _ file: borrowing FileReader, _ work: borrowing WorkItem, _ known: (ContentIdentifier, SealedContent)
  ) throws -> LinkPromise.Outcome? {
    var pieces = ContentPieces(of: file, known.1.algorithm)
    try hasher.begin(known.1.algorithm)
    while !context.isStopping, let piece = try pieces.next(in: file) {
      guard try digest(piece, of: file) else { return nil }
    }
    let sealed = try seal(file, known.1.algorithm)
    guard sealed.digest == known.1.digest, !sealed.flags.contains(.changedWhileReading) else { return nil }
    return try refer(file, work, known, flags: sealed.flags)
  }

  /// Adds a piece to the digest only, through the data group's memory; false when the file became shorter.
  private mutating func digest(_ piece: Range<UInt64>, of file: borrowing FileReader) throws -> Bool {
    let buffer = UnsafeMutableRawBufferPointer(rebasing: data.nextContent[..<piece.count])
    let count = try read(piece, of: file, into: buffer)
    guard count == piece.count else { return false }
    try hasher.add(UnsafeRawBufferPointer(buffer), at: piece.lowerBound)
    return true
  }

  // MARK: Large files

  /// Sends the pieces that are left of a large file, as many to a group as it takes: an attempt that continues must find the
  /// same groups again.
  private mutating func large(
    _ file: borrowing FileReader, _ work: borrowing WorkItem, index: UInt64, _ pieces: inout ContentPieces
  ) throws -> LinkPromise.Outcome {
    try emitEntries(work.unit, mayCommit: true)
    do {
      while let piece = try pieces.next(in: file) {
        if context.isStopping { return cut(work) }
        if data.room < piece.count { try emitDataLater(work.unit) }
        try takeRawBuffer()
        let count = try append(piece, of: file, index: index)
        counters.bytesSent += UInt64(count)
        if count < piece.count { break }
        if data.room == 0 { try emitDataLater(work.unit) }
      }
    } catch let trouble as FileReadError {
      dropData()
      throw trouble
    }
    try emitDataLater(work.unit)
    try takeRawBuffer()
    return try finish(file, work, index: index, try seal(file, file.algorithm))
  }

  /// Goes on with a file of which an earlier attempt committed the beginning; nil when what is there now is not what was sent.
  private mutating func resume(
    _ file: borrowing FileReader, _ work: borrowing WorkItem, _ halfSent: HalfSent
  ) throws -> LinkPromise.Outcome? {
    var pieces = ContentPieces(of: file, file.algorithm)
    try hasher.begin(file.algorithm)
    var groups = CommittedGroups(lastOffset: 0, rawByteCount: 0)
    var lastRawByteCount: UInt64 = 0
    while groups.rawByteCount < halfSent.committed.rawByteCount {
      if context.isStopping { return cut(work) }
      guard let piece = try pieces.next(in: file), try digest(piece, of: file) else { return nil }
      // The groups are filled as `large` fills them, so that holes which are others now show.
      let record = UInt64(GroupLimits.contentDataOverhead + piece.count)
      if lastRawByteCount + record > UInt64(GroupLimits.rawLimit) { lastRawByteCount = 0 }
      if lastRawByteCount == 0 { groups.lastOffset = piece.lowerBound }
      lastRawByteCount += record
      groups.rawByteCount += record
    }
    guard groups == halfSent.committed else { return nil }
    return try large(file, work, index: halfSent.index, &pieces)
  }

  /// A stop in the middle leaves the file half-sent: the next attempt goes on from its last commit.
  private mutating func cut(_ work: borrowing WorkItem) -> LinkPromise.Outcome {
    // A group that is not full would not be found again.
    dropData()
    work.unit.isCut = true
    return .failed
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
  ) throws -> LinkPromise.Outcome {
    // Seals come in the order of their contents.
    try sealUnsealed()
    seals.seal(index: index, sealed)
    if sealed.flags.contains(.changedWhileReading) {
      problem(work, .changed, 0)
      return .failed
    }
    return .sealed(.stored(ContentIdentifier(session: context.session, index: index), sealed), file.attributes)
  }

  /// Ends the digest and looks whether the file changed meanwhile.
  private mutating func seal(_ file: borrowing FileReader, _ algorithm: DigestAlgorithm) throws -> SealedContent {
    let (size, flags) = summary(file, algorithm, after: try file.finalAttributes())
    return SealedContent(size: size, algorithm: algorithm, digest: try hasher.finish(size: size), flags: flags)
  }

  /// How long a content was when it was read, and what happened meanwhile.
  private func summary(
    _ file: borrowing FileReader, _ algorithm: DigestAlgorithm, after: FileAttributes
  ) -> (size: UInt64, flags: SealFlags) {
    let before = file.attributes
    // A hole at the end is there as far as the file still is.
    let hole = algorithm == .sha256OfExtents ? min(before.size, after.size) : 0
    let size = max(hasher.end, hole)
    // Not a list, which is an array for each file.
    var flags = SealFlags(rawValue: 0)
    if size != before.size || FileReader.isChanged(before: before, after: after) {
      flags.insert(.changedWhileReading)
      if size < before.size { flags.insert(.partial) }
    }
    let isRacy = FileReader.isRacy(
      changed: after.changed, readAt: source.openedAt, granularityNanoseconds: source.granularityNanoseconds)
    if isRacy { flags.insert(.racy) }
    return (size, flags)
  }

  private mutating func read(
    _ piece: Range<UInt64>, of file: borrowing FileReader, into buffer: UnsafeMutableRawBufferPointer
  ) throws -> Int {
    let count = try file.read(into: buffer, at: piece.lowerBound)
    counters.bytesRead += UInt64(count)
    // The hole before it is done, too.
    tell(count + Int(piece.lowerBound - hasher.end), of: file.attributes.size)
    return count
  }
}

extension FileAttributes {
  /// Whether a file's identity, which this is, is still what it was: inode, size, mtime and ctime.
  func isUnchanged(in now: FileAttributes) -> Bool {
    inode == now.inode && size == now.size && modified == now.modified && changed == now.changed
  }
}

extension UnitItem {
  /// The content that the file is compared with, where that has its size.
  fileprivate func known(of size: UInt64) -> (ContentIdentifier, SealedContent)? {
    guard case .compare(.stored(let identifier, let sealed)) = action, sealed.size == size else { return nil }
    return (identifier, sealed)
  }
}

extension FileReader {
  /// What its content is digested by.
  fileprivate var algorithm: DigestAlgorithm { hasHoles ? .sha256OfExtents : .sha256 }
}
