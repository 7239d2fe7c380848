import VaultCrypto
import VaultFileSet
import VaultModel
import VaultProtocol
import VaultSystem

/// One of the threads that write files: decompress, digest, and write only when the digest matched; then the file gets its name,
/// here or by `FilesBehind`. A large content is digested meanwhile, by another thread of its own, and gets its name after that.
struct RestoreWorker: ~Copyable {
  private let report: RestoreReport
  /// Missing when contents are only compared with their digests.
  private let behind: FilesBehind?
  /// Missing when contents are only compared with their digests.
  private var writer: RestoreWriter?
  private var hasher: ContentHasher
  /// Digests what has no holes, all of a group at once.
  private var batch: BatchHasher
  private var digests: [Digest256] = []
  /// The contents that are wanted of the present group, and their pieces.
  private var gathered: [Gathered] = []
  private var pieces: [ContentPiece] = []
  /// The batch of the plan that the present work is of, and contents of it whose files wait for their names.
  private var batchNumber: UInt64 = 0
  private var unnamed: [ContentItem] = []
  private let decoder: GroupDecoder
  private let digester: ContentDigester
  /// What groups of large contents are decoded into.
  private let rooms = BufferPool(bufferSize: GroupLimits.rawLimit, limit: ContentDigester.groupLimit)

  init(
    report: RestoreReport, target: RestoreTarget?, behind: FilesBehind?, randomSeed: UInt64
  ) throws {
    let decoder = try GroupDecoder()
    let hasher = try ContentHasher()
    let batch = try BatchHasher()
    digester = try ContentDigester()
    self.decoder = decoder
    self.hasher = hasher
    self.batch = batch
    self.report = report
    self.behind = behind
    digests.reserveCapacity(BatchHasher.usualCount)
    gathered.reserveCapacity(BatchHasher.usualCount)
    pieces.reserveCapacity(BatchHasher.usualCount)
    writer = target.map { RestoreWriter(target: $0, randomSeed: randomSeed) }
  }

  mutating func run(_ queue: RestoreQueue) {
    while let item = queue.pop() {
      batchNumber = item.batch
      do {
        switch item.work {
        case .withoutData(let contents):
          for content in contents { try small(content, [], nil) }
        case .group(let group, let wanted): try contents(of: group, wanted)
        case .large(let content, let groups): try large(content, groups)
        case .directories(let rows): for row in rows { finish(row) }
        }
      } catch {
        queue.fail(error)
      }
      handOverUnnamed()
      queue.done(item.batch)
    }
  }

  // MARK: Groups of whole contents

  private mutating func contents(of group: FetchedGroup, _ items: [UInt64: ContentItem]) throws {
    // The pieces lie in the group, or where it is decoded.
    defer {
      withExtendedLifetime(group) {}
      gathered.removeAll(keepingCapacity: true)
      pieces.removeAll(keepingCapacity: true)
      batch.removeAll()
    }
    var damage: FormatError?
    do { try gather(group, items) } catch let error as FormatError { damage = error }
    do { try batch.finish(into: &digests) } catch {
      for item in items.values where !item.isSettled { try fail(item, error) }
      return
    }
    // What came whole before the damage is as good as any.
    for content in gathered {
      try small(content.item, pieces[content.pieces], content.digest.map { digests[$0] })
    }
    if let damage {
      for item in items.values where !item.isSettled { fail(item, "its data is damaged: \(damage)", damage: true) }
    }
  }

  /// Notes the contents of a group that are wanted, and has those without holes digested.
  private mutating func gather(_ group: FetchedGroup, _ items: [UInt64: ContentItem]) throws {
    let bytes = UnsafeRawBufferPointer(rebasing: group.block.used[group.range])
    var reader = RecordReader(try decoder.records(of: GroupView(decoding: bytes)))
    var current: ContentItem?
    var start = 0
    while let record = try reader.next() {
      guard case .contentData(let index, let offset, let bytes) = record else {
        throw FormatError(.malformed, "data group")
      }
      // A content's pieces follow each other.
      if index != current?.identifier.index {
        if let current { add(current, start..<pieces.count) }
        start = pieces.count
        current = items[index]
      }
      if current != nil { pieces.append(ContentPiece(offset: offset, bytes: bytes)) }
    }
    if let current { add(current, start..<pieces.count) }
  }

  private mutating func add(_ item: ContentItem, _ range: Range<Int>) {
    let isOnePiece = item.sealed.algorithm == .sha256 && range.count == 1 && pieces[range.lowerBound].offset == 0
    gathered.append(Gathered(item: item, pieces: range, digest: isOnePiece ? batch.count : nil))
    if isOnePiece { batch.add(pieces[range.lowerBound].bytes) }
  }

  /// A content of the present group.
  private struct Gathered {
    let item: ContentItem
    let pieces: Range<Int>
    /// The place of its digest, if it was digested with others.
    let digest: Int?
  }

  /// Writes a content of one group if its digest is that of its seal.
  ///
  /// - Parameter digest: of the pieces, if it is known.
  private mutating func small(_ item: ContentItem, _ pieces: ArraySlice<ContentPiece>, _ digest: Digest256?) throws {
    guard !item.isSettled else { return }
    do {
      guard try matches(item.sealed, pieces, digest) else {
        return fail(item, "its data does not match its digest", damage: true)
      }
      var ahead = item.takeFileAhead()
      item.settle()
      if writer == nil { return report.verified(bytes: item.sealed.size) }
      if item.isOneName, let file = ahead.take() {
        return write(item, pieces, file)
      }
      for group in item.groups { write(group, item.sealed, pieces, ahead.take()) }
    } catch {
      try fail(item, error)
    }
  }

  /// Whether pieces, which may have a digest already, are the whole content of a seal.
  private mutating func matches(
    _ content: SealedContent, _ pieces: ArraySlice<ContentPiece>, _ digest: Digest256?
  ) throws(CryptoError) -> Bool {
    guard let digest, let piece = pieces.first else { return try hasher.matches(content, pieces) }
    return digest == content.digest && UInt64(piece.bytes.count) == content.size
  }

  /// Writes a file that was made ahead; its name comes later.
  private mutating func write(_ item: ContentItem, _ pieces: ArraySlice<ContentPiece>, _ file: consuming FileAhead) {
    do throws(FileSetError) {
      try file.write(item.sealed, pieces)
      item.leaveWritten(file)
      unnamed.append(item)
      if unnamed.count == FilesBehind.partSize { handOverUnnamed() }
    } catch {
      fail(item.groups[0], error)
    }
  }

  /// Has the files named that are written.
  private mutating func handOverUnnamed() {
    behind?.add(unnamed, of: batchNumber)
    unnamed.removeAll()
  }

  private mutating func write(
    _ group: ContentItem.LinkGroup, _ content: SealedContent, _ pieces: ArraySlice<ContentPiece>,
    _ ahead: consuming FileAhead?
  ) {
    var group = group
    do throws(FileSetError) {
      // What is there under one name keeps no other name from coming back.
      while let file = try begin(&group, &ahead) {
        try file.write(content, pieces)
        if try commit(file, &group, content.size) { return }
      }
    } catch {
      fail(group, error)
    }
  }

  /// Begins the file under the first of its names that is free, or to be replaced; those before it leave the group.
  ///
  /// - Parameter ahead: the file for the first of the names, if it was made already.
  private mutating func begin(
    _ group: inout ContentItem.LinkGroup, _ ahead: inout FileAhead?
  ) throws(FileSetError) -> RestoringFile? {
    while let first = group.rows.first {
      if let file = try makeFile(first, &ahead) { return file }
      report.kept(first.path)
      group.rows.removeFirst()
    }
    return nil
  }

  private mutating func makeFile(
    _ row: PlanBatch.Row, _ ahead: inout FileAhead?
  ) throws(FileSetError) -> RestoringFile? {
    if let file = ahead.take() { return file.take() }
    return try writer?.writeFile(for: row)
  }

  /// Gives a written file its name, and its other names.
  ///
  /// - Returns: false when something took the first name meanwhile and was kept: the group goes on without it.
  private mutating func commit(
    _ file: consuming RestoringFile, _ group: inout ContentItem.LinkGroup, _ byteCount: UInt64
  ) throws(FileSetError) -> Bool {
    guard let first = group.rows.first else { return true }
    let attributes = first.entry.attributes
    let identity = group.rows.count > 1 || !attributes.inodeFlags.isEmpty ? try file.identity() : nil
    guard let behind, try behind.names.give(first, to: file, byteCount: byteCount) else {
      group.rows.removeFirst()
      return false
    }
    guard let identity else { return true }
    let source = RestoredFile(directory: first.directory, name: first.entry.name, identity: identity)
    for row in group.rows.dropFirst() { link(row, to: source) }
    if !attributes.inodeFlags.isEmpty, let unset = try writer?.setInodeFlags(attributes.inodeFlags, of: source) {
      report.notSet(unset, of: first.path)
    }
    return true
  }

  private mutating func link(_ row: PlanBatch.Row, to source: RestoredFile) {
    do throws(FileSetError) {
      let outcome = try writer?.createHardLink(
        directory: row.directory, name: row.entry.name, to: source, modified: row.entry.attributes.modified)
      if outcome == .exists { return report.kept(row.path) }
      report.restored(row.path, [], bytes: 0)
    } catch {
      report.problem(row.path, error.description)
    }
  }

  private mutating func finish(_ directory: PlanBatch.Row) {
    do throws(FileSetError) {
      let unset = try writer?.finishDirectory(directory.landing, attributes: directory.entry.attributes)
      report.restored(directory.path, unset ?? [])
    } catch {
      report.problem(directory.path, error.description)
    }
  }

  // MARK: Contents of many groups

  private mutating func large(_ item: ContentItem, _ groups: BoundedQueue<FetchedGroup>) throws {
    defer {
      // What still comes is nobody's.
      while groups.pop() != nil {}
    }
    guard var group = item.groups.first else { return }
    do {
      var file: RestoringFile?
      if writer != nil {
        var ahead = item.takeFileAhead()
        file = try begin(&group, &ahead)
        if file == nil { return item.settle() }
        try file?.begin(item.sealed)
      }
      guard let first = group.rows.first else { return }
      var order = PieceOrder(item.sealed.algorithm)
      var toldByteCount: UInt64 = 0
      defer { report.wrote(toldByteCount) }
      digester.begin(item.sealed, index: item.identifier.index)
      var failure: (any Error)?
      do {
        while let fetched = groups.pop() {
          let decoded = try DecodedGroup(fetched, decoder, rooms)
          // Only what is well formed and in order is digested, or written.
          try decoded.forEachPiece(of: item.identifier.index) { bytes, offset in
            guard order.accepts(bytes.count, at: offset, of: item.sealed.size) else {
              throw FormatError(.malformed, "data group")
            }
            order.add(bytes.count, at: offset)
          }
          guard digester.add(decoded) else { break }
          try decoded.forEachPiece(of: item.identifier.index) { try file?.write($0, at: $1) }
          // The hole before it counts, too.
          report.writing(first.path, order.end - toldByteCount)
          toldByteCount = order.end
        }
      } catch { failure = error }
      let digest = digester.end()
      if item.isSettled { return }
      if let failure { throw failure }
      guard try digest.get() == item.sealed.digest, order.isWhole(item.sealed.size) else {
        return fail(item, "its data does not match its digest", damage: true)
      }
      item.settle()
      guard let file else { return report.verified(bytes: item.sealed.size) }
      // The content has passed: a name that was taken meanwhile costs the others, too.
      if try !commit(file, &group, item.sealed.size) { fail(group, "another name of it was taken meanwhile") }
    } catch let error as FileSetError {
      item.settle()
      fail(group, error)
    } catch let error as FormatError {
      fail(item, "its data is damaged: \(error)", damage: true)
    } catch {
      try fail(item, error)
    }
  }

  // MARK: Failures

  /// What has nothing to do with the stored data costs the files that were to be written; a verification that cannot go on says
  /// nothing of what it did not look at.
  private func fail(_ item: ContentItem, _ error: any Error) throws {
    guard writer != nil else { throw error }
    fail(item, "\(error)", damage: false)
  }

  private func fail(_ group: ContentItem.LinkGroup, _ error: FileSetError) { fail(group, error.description) }

  private func fail(_ group: ContentItem.LinkGroup, _ reason: String) {
    for row in group.rows { report.problem(row.path, reason) }
  }

  private func fail(_ item: ContentItem, _ reason: String, damage: Bool) {
    item.settle()
    report.failed(item, reason, damage: damage)
  }
}
