import VaultModel

/// The order in which pieces of a content come: they ascend, and without holes each joins the one before.
package struct PieceOrder: Sendable {
  private let algorithm: DigestAlgorithm
  /// Where the last piece ended.
  package private(set) var end: UInt64 = 0

  package init(_ algorithm: DigestAlgorithm) { self.algorithm = algorithm }

  /// Whether a piece can be the next of a content of this size.
  ///
  /// - Bounds: `offset` plus the bytes is at most 2^63 - 1, as the codec has it.
  package func accepts(_ byteCount: Int, at offset: UInt64, of size: UInt64) -> Bool {
    let follows = algorithm == .sha256OfExtents ? offset >= end : offset == end
    return follows && offset &+ UInt64(byteCount) <= size
  }

  /// Takes a piece.
  ///
  /// - Bounds: as those of `accepts`.
  package mutating func add(_ byteCount: Int, at offset: UInt64) { end = offset &+ UInt64(byteCount) }

  /// Whether the pieces may be all of a content of this size: the rest is a hole.
  package func isWhole(_ size: UInt64) -> Bool { algorithm == .sha256OfExtents || end == size }
}

/// Bytes of a content with their place in it, lent by whoever holds them; what lies between two pieces is a hole.
package struct ContentPiece {
  package let offset: UInt64
  package let bytes: UnsafeRawBufferPointer

  /// - Bounds: `offset` plus the bytes is at most 2^63 - 1, as the codec has it.
  package init(offset: UInt64, bytes: UnsafeRawBufferPointer) {
    self.offset = offset
    self.bytes = bytes
  }
}

/// Digests a content piece by piece, as its seal's algorithm says.
///
/// Where pieces are cut is part of the digest of a content with holes: each piece is one content-data record.
package struct ContentHasher: ~Copyable {
  private var hasher: SHA256Hasher
  private var algorithm = DigestAlgorithm.sha256
  private var order = PieceOrder(.sha256)

  /// - Throws: `CryptoError` when the library has no SHA-256 or no memory.
  package init() throws(CryptoError) { hasher = try SHA256Hasher() }

  /// Begins a new content; what was added before is forgotten.
  ///
  /// - Parameter isDigested: false when all pieces will be skipped.
  package mutating func begin(_ algorithm: DigestAlgorithm, isDigested: Bool = true) throws(CryptoError) {
    if isDigested { try hasher.begin() }
    self.algorithm = algorithm
    order = PieceOrder(algorithm)
  }

  /// Where the last piece ended.
  package var end: UInt64 { order.end }

  /// Whether a piece can be the next of a content of this size.
  ///
  /// - Bounds: as those of `add`.
  package func accepts(_ bytes: UnsafeRawBufferPointer, at offset: UInt64, of size: UInt64) -> Bool {
    order.accepts(bytes.count, at: offset, of: size)
  }

  /// Adds a piece.
  ///
  /// - Bounds: `offset` plus the bytes is at most 2^63 - 1, as the codec has it.
  package mutating func add(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(CryptoError) {
    if algorithm == .sha256OfExtents {
      let head = (offset.littleEndian, UInt64(bytes.count).littleEndian)
      try withUnsafeBytes(of: head) { head throws(CryptoError) in try hasher.update(head) }
    }
    try hasher.update(bytes)
    order.add(bytes.count, at: offset)
  }

  /// Passes over a piece that somebody else digests.
  ///
  /// - Bounds: as those of `add`.
  package mutating func skip(_ byteCount: Int, at offset: UInt64) { order.add(byteCount, at: offset) }

  /// Whether the pieces may be all of a content of this size: the rest is a hole.
  package func isWhole(_ size: UInt64) -> Bool { order.isWhole(size) }

  /// Ends the digest of a content of this size; `begin` comes before the next one.
  package mutating func finish(size: UInt64) throws(CryptoError) -> Digest256 {
    if algorithm == .sha256OfExtents {
      try withUnsafeBytes(of: size.littleEndian) { bytes throws(CryptoError) in try hasher.update(bytes) }
    }
    return try hasher.finish()
  }

  /// Whether pieces are all of a content, each in its place, and have its digest.
  package mutating func matches(
    _ content: SealedContent, _ pieces: ArraySlice<ContentPiece>
  ) throws(CryptoError) -> Bool {
    try begin(content.algorithm)
    for piece in pieces {
      guard accepts(piece.bytes, at: piece.offset, of: content.size) else { return false }
      try add(piece.bytes, at: piece.offset)
    }
    guard isWhole(content.size) else { return false }
    return try finish(size: content.size) == content.digest
  }

  /// Whether a content has no data: it is empty, or one hole from its beginning to its end.
  package mutating func isWithoutData(_ content: SealedContent) throws(CryptoError) -> Bool {
    guard content.size > 0 else { return true }
    guard content.algorithm == .sha256OfExtents else { return false }
    try begin(.sha256OfExtents)
    return try finish(size: content.size) == content.digest
  }
}
