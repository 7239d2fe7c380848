import VaultCrypto
import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

/// Sends the content of one file to the director, for its console's standard output.
///
/// A content of one group is checked before its bytes leave; a larger one while they do, and what was wrong is told at
/// the end. Holes are sent as zeros.
struct StreamWorker: ~Copyable {
  /// Bytes of a frame at most.
  private static let frameLimit = 256 * 1024

  private let report: RestoreReport
  private let director: Channel
  private var hasher: ContentHasher
  private let decoder: GroupDecoder
  private let zeros = UnsafeMutableRawBufferPointer.allocate(byteCount: frameLimit, alignment: 4096)
  /// What was sent of the file.
  private var sentByteCount: UInt64 = 0

  init(report: RestoreReport, director: Channel) throws {
    let decoder = try GroupDecoder()
    let hasher = try ContentHasher()
    self.decoder = decoder
    self.hasher = hasher
    self.report = report
    self.director = director
    zeros.initializeMemory(as: UInt8.self, repeating: 0)
  }

  deinit { zeros.deallocate() }

  mutating func run(_ queue: RestoreQueue) {
    while let item = queue.pop() {
      do {
        switch item.work {
        case .withoutData(let contents): for content in contents { try small(content, []) }
        case .group(let group, let wanted): for content in wanted.values { try contents(of: group, content) }
        case .large(let content, let groups): try large(content, groups)
        case .directories: break
        }
      } catch {
        // The director is gone: nobody takes the bytes.
        queue.fail(error)
      }
      queue.done(item.batch)
    }
  }

  private mutating func contents(of group: FetchedGroup, _ item: ContentItem) throws {
    var pieces: [ContentPiece] = []
    do {
      let bytes = UnsafeRawBufferPointer(rebasing: group.block.used[group.range])
      var reader = RecordReader(try decoder.records(of: GroupView(decoding: bytes)))
      while let record = try reader.next() {
        guard case .contentData(item.identifier.index, let offset, let content) = record else { continue }
        pieces.append(ContentPiece(offset: offset, bytes: content))
      }
    } catch {
      return fail(item, "its data is damaged: \(error)")
    }
    try small(item, pieces)
  }

  private mutating func small(_ item: ContentItem, _ pieces: [ContentPiece]) throws {
    guard try hasher.matches(item.sealed, pieces[...]) else {
      return fail(item, "its data does not match its digest; nothing of it was written")
    }
    defer { report.wrote(sentByteCount) }
    for piece in pieces { try send(piece.bytes, at: piece.offset, of: item) }
    try finish(item)
  }

  private mutating func large(_ item: ContentItem, _ groups: BoundedQueue<FetchedGroup>) throws {
    defer {
      // What still comes is nobody's.
      while groups.pop() != nil {}
      report.wrote(sentByteCount)
    }
    do {
      try hasher.begin(item.sealed.algorithm)
      while let fetched = groups.pop() {
        let bytes = UnsafeRawBufferPointer(rebasing: fetched.block.used[fetched.range])
        var reader = RecordReader(try decoder.records(of: GroupView(decoding: bytes)))
        while let record = try reader.next() {
          guard case .contentData(item.identifier.index, let offset, let content) = record else { continue }
          guard hasher.accepts(content, at: offset, of: item.sealed.size) else {
            throw FormatError(.malformed, "data group")
          }
          try hasher.add(content, at: offset)
          try send(content, at: offset, of: item)
        }
      }
    } catch let error as FormatError {
      return fail(item, "its data is damaged after \(sentByteCount) bytes, which were written: \(error)")
    }
    if item.isSettled { return }
    guard hasher.isWhole(item.sealed.size), try hasher.finish(size: item.sealed.size) == item.sealed.digest else {
      return fail(item, "its data does not match its digest: do not use the \(sentByteCount) bytes that were written")
    }
    try finish(item)
  }

  /// Sends bytes, and the hole before them.
  private mutating func send(_ content: UnsafeRawBufferPointer, at offset: UInt64, of item: ContentItem) throws {
    try sendZeros(to: offset, of: item)
    var rest = content
    while !rest.isEmpty {
      let part = UnsafeRawBufferPointer(rebasing: rest.prefix(Self.frameLimit))
      try sendPart(part, of: item)
      rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(part.count))
    }
  }

  private mutating func sendZeros(to offset: UInt64, of item: ContentItem) throws {
    while sentByteCount < offset {
      let count = Int(min(offset - sentByteCount, UInt64(Self.frameLimit)))
      try sendPart(UnsafeRawBufferPointer(rebasing: zeros[..<count]), of: item)
    }
  }

  private mutating func sendPart(_ part: UnsafeRawBufferPointer, of item: ContentItem) throws {
    try director.sendFrameBlocking(.restoredBytes, part)
    sentByteCount += UInt64(part.count)
    if let row = item.groups.first?.rows.first { report.writing(row.path, UInt64(part.count)) }
  }

  /// Sends the hole at the end, after which the file is whole.
  private mutating func finish(_ item: ContentItem) throws {
    try sendZeros(to: item.sealed.size, of: item)
    item.settle()
    for group in item.groups {
      for row in group.rows { report.restored(row.path, [], bytes: item.sealed.size) }
    }
  }

  private func fail(_ item: ContentItem, _ reason: String) {
    item.settle()
    report.failed(item, reason, damage: true)
  }
}
