import Testing
import VaultCrypto
import VaultModel
import VaultProtocol
import VaultSystem

@testable import FileDaemon

/// The digest of a large content beside the thread that writes it.
@Suite(.timeLimit(.minutes(1))) struct ContentDigesterTests {
  private static let index: UInt64 = 7

  /// A group as it is fetched, with pieces of the content and one of another, and bytes that are no record.
  private static func fetched(
    _ encoder: borrowing GroupEncoder, _ pieces: [(offset: UInt64, bytes: [UInt8])], extra: Int = 0
  ) throws -> FetchedGroup {
    let block = try #require(BufferPool(bufferSize: 1 << 20, limit: 1).take())
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: GroupLimits.rawLimit, alignment: 8)
    defer { memory.deallocate() }
    var data = DataGroupBuilder(memory)
    for (index, offset, bytes) in [(index + 1, 0, [1, 2, 3])] + pieces.map({ (index, $0.offset, $0.bytes) }) {
      data.nextContent.copyBytes(from: bytes)
      data.append(index: index, offset: offset, byteCount: bytes.count)
    }
    let position = GroupEncoder.Position(
      kind: .data, flags: 0, session: session, attempt: 1, firstEntry: index, firstOffset: 0)
    let records = Array(data.bytes) + [UInt8](repeating: 0, count: extra)
    let header = try records.withUnsafeBytes {
      try encoder.encode($0, recordCount: data.recordCount, position, number: 1, into: block.bytes)
    }
    block.count = header.totalByteCount
    return FetchedGroup(block: block, range: 0..<block.count)
  }

  private static func rooms() -> BufferPool {
    BufferPool(bufferSize: GroupLimits.rawLimit, limit: ContentDigester.groupLimit)
  }

  /// Contents of 12 groups, more than are ever decoded at once.
  @Test(arguments: [DigestAlgorithm.sha256, .sha256OfExtents], [true, false])
  func theDigestIsThatOfThePieces(_ algorithm: DigestAlgorithm, _ isCompressed: Bool) throws {
    let pieces = (0..<12).map { number in
      (offset: UInt64(number) * 100_000, bytes: [UInt8](repeating: UInt8(number), count: 100_000))
    }
    var hasher = try ContentHasher()
    try hasher.begin(algorithm)
    for piece in pieces { try piece.bytes.withUnsafeBytes { try hasher.add($0, at: piece.offset) } }
    let size: UInt64 = 1_200_000
    let expected = try hasher.finish(size: size)

    let decoder = try GroupDecoder()
    let rooms = Self.rooms()
    let content = SealedContent(size: size, algorithm: algorithm, digest: expected)
    let digester = try ContentDigester()
    let encoder = isCompressed ? GroupEncoder.lz4 : GroupEncoder.plain
    // Three with one thread, of which the second is given up in its midst.
    for number in 0..<3 {
      digester.begin(content, index: Self.index)
      for piece in pieces.prefix(number == 1 ? 5 : 12) {
        #expect(digester.add(try DecodedGroup(Self.fetched(encoder, [piece]), decoder, rooms)))
      }
      let digest = try digester.end().get()
      #expect((digest == expected) == (number != 1))
    }
  }

  @Test func onlyThePiecesOfItsContentAreSeen() throws {
    let decoder = try GroupDecoder()
    let rooms = Self.rooms()
    let group = try DecodedGroup(Self.fetched(GroupEncoder.lz4, [(0, [9, 9]), (2, [8])]), decoder, rooms)
    var seen: [[UInt8]] = []
    try group.forEachPiece(of: Self.index) { bytes, offset in seen.append([UInt8(offset)] + bytes) }
    #expect(seen == [[0, 9, 9], [2, 8]])
  }

  /// What no worker lets through, as here a group that is not well formed, is told at the end, and soon nothing more is taken.
  @Test func aDigestThatFailedTakesNothingMore() throws {
    let decoder = try GroupDecoder()
    let rooms = Self.rooms()
    let content = SealedContent(size: 3, algorithm: .sha256, digest: Digest256(words: (0, 0, 0, 0)))
    let digester = try ContentDigester()
    digester.begin(content, index: Self.index)
    var taken = 0
    while taken < 100,
      digester.add(try DecodedGroup(Self.fetched(GroupEncoder.plain, [(0, [1, 2, 3])], extra: 1), decoder, rooms))
    {
      taken += 1
    }
    #expect(taken < 3)
    #expect(throws: FormatError.self) { try digester.end().get() }
    // The next content is another matter.
    digester.begin(content, index: Self.index)
    #expect(digester.add(try DecodedGroup(Self.fetched(GroupEncoder.lz4, [(0, [1, 2, 3])]), decoder, rooms)))
    #expect(
      try digester.end().get().text == "039058c6f2c0cb492c533b0a4d14ef77cc0f78abccced5287d84a1a2011cfb81")
  }

  @Test func aDamagedGroupIsNotDecoded() throws {
    let decoder = try GroupDecoder()
    let rooms = Self.rooms()
    let fetched = try Self.fetched(GroupEncoder.lz4, [(0, [UInt8](repeating: 5, count: 5000))])
    fetched.block.bytes[fetched.range.upperBound - 1] ^= 1
    for _ in 0..<4 {
      #expect(throws: FormatError.self) { _ = try DecodedGroup(fetched, decoder, rooms) }
    }
  }
}
