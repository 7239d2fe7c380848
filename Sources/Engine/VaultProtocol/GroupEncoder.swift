import VaultCompression
import VaultCrypto
import VaultModel

/// What is known of how the data shrinks that one thread compresses: whether the last group was worth it.
package struct CompressionTrend: Sendable {
  fileprivate var isPoor = false

  /// Nothing is known: the first group is compressed.
  package init() {}

  /// Less than an eighth saved is less than compressing it, and decompressing it again, costs.
  fileprivate static func isPoor(_ byteCount: Int, shrunkTo storedByteCount: Int) -> Bool {
    byteCount - storedByteCount < byteCount / 8
  }
}

/// Makes whole groups from raw records; one for each thread.
package struct GroupEncoder: ~Copyable {
  private enum Compressor: ~Copyable {
    case none
    case lz4
    case zstd(ZstdCompressor)
  }

  /// What of a group's header is known before its bytes are compressed.
  package struct Position: Sendable {
    package var kind: GroupKind
    package var flags: UInt32
    package var session: UniqueIdentifier
    package var attempt: UInt32
    package var firstEntry: UInt64
    package var firstOffset: UInt64
    package init(
      kind: GroupKind, flags: UInt32, session: UniqueIdentifier, attempt: UInt32, firstEntry: UInt64,
      firstOffset: UInt64
    ) {
      self.kind = kind
      self.flags = flags
      self.session = session
      self.attempt = attempt
      self.firstEntry = firstEntry
      self.firstOffset = firstOffset
    }
  }

  private let compressor: Compressor

  private var isLZ4: Bool {
    switch compressor {
    case .lz4: true
    default: false
    }
  }

  private init(_ compressor: consuming Compressor) { self.compressor = compressor }

  package init(_ compression: Compression) throws(CompressionError) {
    switch compression {
    case .none: compressor = .none
    case .lz4: compressor = .lz4
    case .zstd(let level): compressor = .zstd(try ZstdCompressor(level: level))
    }
  }

  /// Stores everything as it is.
  package static var plain: GroupEncoder { GroupEncoder(Compressor.none) }
  /// Compresses with LZ4.
  package static var lz4: GroupEncoder { GroupEncoder(Compressor.lz4) }

  /// Compresses `raw` behind the room for a header in `output`; what does not shrink is stored plain.
  ///
  /// Who numbers groups later gives no number, sets it in the header returned, and encodes that again over the first one.
  /// - Bounds: `raw` at most `GroupLimits.rawLimit`; `output` at least header and `raw`.
  /// - Returns: the header, and the group's length is its `totalByteCount`.
  package func encode(
    _ raw: UnsafeRawBufferPointer, recordCount: UInt32, _ position: Position, number: UInt64 = 0,
    into output: UnsafeMutableRawBufferPointer
  ) throws(FormatError) -> GroupHeader {
    let room = try Self.room(for: raw, in: output)
    let packed = compress(raw, into: room)
    if packed == nil { room.copyMemory(from: raw) }
    let stored = UnsafeRawBufferPointer(rebasing: room[..<(packed?.length ?? raw.count)])
    let header = Self.header(packed, recordCount, position, number, stored, rawLength: raw.count)
    header.encode(into: output)
    return header
  }

  /// Compresses records that have the room for a header before them into `output`, as the other does; what does not shrink stays
  /// where it is and gets its header there.
  ///
  /// Where the last group hardly shrank, a sample decides whether LZ4 is tried on this one at all. LZ4 passes quickly over bytes
  /// that do not shrink, but not where small files that do and small files that do not take turns: there it takes its full time
  /// to save a few percent.
  /// - Bounds: `framed` is the header's room and at most `GroupLimits.rawLimit` bytes; `output` has at least its size.
  /// - Returns: the header, and whether the group is in `framed`, or else in `output`.
  package func encode(
    framed: UnsafeMutableRawBufferPointer, recordCount: UInt32, _ position: Position, _ trend: inout CompressionTrend,
    into output: UnsafeMutableRawBufferPointer
  ) throws(FormatError) -> (header: GroupHeader, isInPlace: Bool) {
    let raw = UnsafeRawBufferPointer(rebasing: framed[min(framed.count, GroupHeader.byteCount)...])
    let room = try Self.room(for: raw, in: output)
    let packed = trend.isPoor && hasPoorSample(raw, room) ? nil : compress(raw, into: room)
    let stored = packed.map { UnsafeRawBufferPointer(rebasing: room[..<$0.length]) } ?? raw
    trend.isPoor = CompressionTrend.isPoor(raw.count, shrunkTo: stored.count)
    let header = Self.header(packed, recordCount, position, 0, stored, rawLength: raw.count)
    header.encode(into: packed == nil ? framed : output)
    return (header, packed == nil)
  }

  /// Where a group's stored bytes go.
  private static func room(
    for raw: UnsafeRawBufferPointer, in output: UnsafeMutableRawBufferPointer
  ) throws(FormatError) -> UnsafeMutableRawBufferPointer {
    guard raw.count <= GroupLimits.rawLimit, output.count >= GroupHeader.byteCount + raw.count else {
      throw FormatError(.outOfBounds, "record group to be written")
    }
    return UnsafeMutableRawBufferPointer(rebasing: output[GroupHeader.byteCount...])
  }

  private static func header(
    _ packed: (codec: GroupHeader.Codec, length: Int)?, _ recordCount: UInt32, _ position: Position, _ number: UInt64,
    _ stored: UnsafeRawBufferPointer, rawLength: Int
  ) -> GroupHeader {
    GroupHeader(
      kind: position.kind, codec: packed?.codec ?? .none, flags: position.flags, session: position.session,
      attempt: position.attempt, recordCount: recordCount, number: number, firstEntry: position.firstEntry,
      firstOffset: position.firstOffset, rawLength: UInt32(rawLength), storedLength: UInt32(stored.count),
      digest: XXH3.checksum128(stored))
  }

  private static let samplePieceByteCount = 8 * 1024
  private static let samplePieceCount = 4

  /// Whether LZ4 is to be used, and four pieces of what is to be compressed say that it saves too little.
  ///
  /// - Parameter room: as large as `raw`; what it holds then is of no use.
  private func hasPoorSample(_ raw: UnsafeRawBufferPointer, _ room: UnsafeMutableRawBufferPointer) -> Bool {
    guard isLZ4, raw.count >= 8 * Self.samplePieceCount * Self.samplePieceByteCount else { return false }
    let distance = raw.count / Self.samplePieceCount
    var storedByteCount = 0
    for number in 0..<Self.samplePieceCount {
      let piece = UnsafeRawBufferPointer(rebasing: raw[(number * distance)...].prefix(Self.samplePieceByteCount))
      storedByteCount += LZ4.compress(piece, into: room) ?? piece.count
    }
    return CompressionTrend.isPoor(Self.samplePieceCount * Self.samplePieceByteCount, shrunkTo: storedByteCount)
  }

  /// - Returns: nil when it does not shrink, or is too little to be worth it.
  private func compress(
    _ raw: UnsafeRawBufferPointer, into room: UnsafeMutableRawBufferPointer
  ) -> (codec: GroupHeader.Codec, length: Int)? {
    guard raw.count > 64 else { return nil }
    // One byte less than plain: what does not shrink is not worth a decompression.
    let room = UnsafeMutableRawBufferPointer(rebasing: room[..<(raw.count - 1)])
    switch compressor {
    case .none: return nil
    case .lz4: return LZ4.compress(raw, into: room).map { (.lz4, $0) }
    case .zstd(let compressor): return compressor.compress(raw, into: room).map { (.zstd, $0) }
    }
  }
}
