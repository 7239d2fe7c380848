import Testing
import VaultCrypto
import VaultModel
import VaultProtocol

/// The digests of contents with and without holes, as vault-volume(5) has them; the expected ones were made by Python's hashlib.
@Suite struct SparseContentTests {
  private struct Refused: Error {}

  /// The digest of pieces, each of which must be accepted.
  private func digest(
    _ algorithm: DigestAlgorithm, size: UInt64, _ pieces: [(offset: UInt64, text: String)]
  ) throws -> String {
    var hasher = try ContentHasher()
    try hasher.begin(algorithm)
    for piece in pieces {
      try Array(piece.text.utf8).withUnsafeBytes { bytes in
        guard hasher.accepts(bytes, at: piece.offset, of: size) else { throw Refused() }
        try hasher.add(bytes, at: piece.offset)
      }
    }
    guard hasher.isWhole(size) else { throw Refused() }
    return try hasher.finish(size: size).text
  }

  @Test func piecesWithHolesBetween() throws {
    #expect(
      try digest(.sha256OfExtents, size: 1 << 40, [(4096, "abc"), (8192, "defg")])
        == "3ff12ff3577d37841025b6ff6788a52e1a6bfec95fa74cdb975ed4ee1d905b41")
    #expect(
      try digest(.sha256OfExtents, size: 1 << 40, [])
        == "be58233c8b1c33d2911eccf0f47364922b872acca2e95e4423bc21820b59ddf6")
  }

  @Test func withoutHolesThePiecesAreNoMatter() throws {
    for pieces in [[(0, "abcdefg")], [(0, "abc"), (3, "defg")]] as [[(UInt64, String)]] {
      #expect(
        try digest(.sha256, size: 7, pieces) == "7d1a54127b222502f5b79b5fb0803061152a44f92b37e23c6527baf665d4da9a")
    }
  }

  @Test(
    arguments: [
      (.sha256, 7, [(0, "abc"), (4, "efg")]), (.sha256, 7, [(1, "abc")]), (.sha256, 7, [(0, "abc")]),
      (.sha256, 2, [(0, "abc")]), (.sha256OfExtents, 100, [(8, "abc"), (10, "d")]),
      (.sha256OfExtents, 100, [(8, "abc"), (0, "d")]), (.sha256OfExtents, 100, [(98, "abc")]),
      (.sha256OfExtents, 100, [(1 << 62, "abc")]),
    ] as [(DigestAlgorithm, UInt64, [(UInt64, String)])])
  func piecesThatCannotBe(_ algorithm: DigestAlgorithm, _ size: UInt64, _ pieces: [(UInt64, String)]) {
    #expect(throws: Refused.self) { try digest(algorithm, size: size, pieces) }
  }

  /// What does not belong to a content must not be taken for it, whatever the digest of the rest is.
  @Test(
    arguments: [
      (.sha256, [(0, "abc"), (3, "defg")], true), (.sha256, [(0, "abc"), (3, "defg"), (0, "xyz")], false),
      (.sha256, [(0, "xyz"), (0, "abc"), (3, "defg")], false), (.sha256, [(0, "abc"), (3, "defg"), (7, "h")], false),
      (.sha256, [(0, "abc"), (3, "def")], false), (.sha256, [(0, "abc"), (3, "defx")], false),
      (.sha256OfExtents, [(0, "abc"), (3, "defg")], true), (.sha256OfExtents, [(0, "abcdefg")], false),
      (.sha256OfExtents, [(0, "abc"), (3, "defg"), (1, "x")], false),
      (.sha256OfExtents, [(0, "abc"), (3, "defg"), (7, "x")], false),
    ] as [(DigestAlgorithm, [(UInt64, String)], Bool)])
  func onlyItsOwnPiecesMatchAContent(
    _ algorithm: DigestAlgorithm, _ pieces: [(offset: UInt64, text: String)], _ isContent: Bool
  ) throws {
    var hasher = try ContentHasher()
    try hasher.begin(algorithm)
    for (offset, text) in [(0, "abc"), (3, "defg")] as [(UInt64, String)] {
      try Array(text.utf8).withUnsafeBytes { try hasher.add($0, at: offset) }
    }
    let content = SealedContent(size: 7, algorithm: algorithm, digest: try hasher.finish(size: 7))
    let bytes = pieces.flatMap { Array($0.text.utf8) }
    try bytes.withUnsafeBytes { bytes in
      var start = 0
      var lent: [ContentPiece] = []
      for piece in pieces {
        let end = start + piece.text.utf8.count
        lent.append(ContentPiece(offset: piece.offset, bytes: UnsafeRawBufferPointer(rebasing: bytes[start..<end])))
        start = end
      }
      let isMatch = try hasher.matches(content, lent[...])
      #expect(isMatch == isContent)
    }
  }

  @Test func oneHoleIsKnownByItsDigest() throws {
    var hasher = try ContentHasher()
    func content(_ algorithm: DigestAlgorithm, _ size: UInt64, _ pieces: [(UInt64, String)]) throws -> SealedContent {
      try hasher.begin(algorithm)
      for piece in pieces { try Array(piece.1.utf8).withUnsafeBytes { try hasher.add($0, at: piece.0) } }
      return SealedContent(size: size, algorithm: algorithm, digest: try hasher.finish(size: size))
    }
    let largest = try content(.sha256OfExtents, UInt64(Int64.max), [])
    #expect(largest.digest.text == "6a69a6cc7473a16302890cd2a9e93e347281f6ea0e1bb784e589753bed0b3324")
    #expect(try hasher.isWithoutData(largest))
    let empty = try content(.sha256, 0, [])
    #expect(try hasher.isWithoutData(empty))
    let data = try content(.sha256OfExtents, 1 << 20, [(4096, "x")])
    #expect(try !hasher.isWithoutData(data))
    let dense = try content(.sha256, 1, [(0, "x")])
    #expect(try !hasher.isWithoutData(dense))
  }

  /// A file of 64 KiB with "hole" at 4096 and "data" at 8192: its records and its seal, byte for byte.
  @Test func goldenRecordsOfASparseFile() throws {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: GroupLimits.rawLimit, alignment: 8)
    defer { memory.deallocate() }
    var group = DataGroupBuilder(memory)
    var hasher = try ContentHasher()
    try hasher.begin(.sha256OfExtents)
    for (offset, text) in [(4096, "hole"), (8192, "data")] as [(UInt64, String)] {
      try Array(text.utf8).withUnsafeBytes { bytes in
        group.nextContent.copyMemory(from: bytes)
        try hasher.add(bytes, at: offset)
      }
      group.append(index: 7, offset: offset, byteCount: 4)
    }
    #expect(group.firstEntry == 7 && group.firstOffset == 4096)
    let records = [
      "0300010014000000", "0700000000000000", "0010000000000000", "686f6c65",
      "0300010014000000", "0700000000000000", "0020000000000000", "64617461",
    ].joined()
    #expect(group.bytes.map { hexadecimal($0) }.joined() == records)
    var seals = RecordWriter()
    seals.seal(
      index: 7,
      SealedContent(size: 65536, algorithm: .sha256OfExtents, digest: try hasher.finish(size: 65536), flags: .racy))
    let seal = [
      "0400010038000000", "0700000000000000", "0000010000000000", "0204000000000000",
      "dfe114a724564b7054939a836d1e84231ff24ba47f2d1b4fdb61df2a5867fe54",
    ].joined()
    #expect(seals.bytes.map { hexadecimal($0) }.joined() == seal)
  }

  private func hexadecimal(_ byte: UInt8) -> String {
    let digits = String(byte, radix: 16)
    return digits.count == 1 ? "0" + digits : digits
  }
}
