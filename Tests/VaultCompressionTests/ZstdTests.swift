import Testing

@testable import VaultCompression

/// Zstandard frames, made and read; those written out here were put together by hand after RFC 8878.
@Suite struct ZstdTests {
  private static let magic: [UInt8] = [0x28, 0xb5, 0x2f, 0xfd]
  private static let letters = Array(String(repeating: "abcd", count: 50).utf8)
  /// `letters` as four literal bytes and one match at distance 4, in a single segment.
  private static let frame: [UInt8] =
    magic + [0x20, 200, 0x20, 0, 0] + Array("abcd".utf8) + [0x45, 0, 0, 0, 1, 0x54, 0, 2, 0x2b, 0xc1, 3]
  /// Room behind an output that must stay as it is.
  private static let margin = [UInt8](repeating: 0xee, count: 64)

  private static func compressed(_ bytes: [UInt8], level: Int = 3, room: Int? = nil) throws -> [UInt8]? {
    let compressor = try ZstdCompressor(level: level)
    var output = [UInt8](repeating: 0xee, count: room ?? bytes.count + 100)
    let length = output.withUnsafeMutableBytes { output in
      bytes.withUnsafeBytes { compressor.compress($0, into: output) }
    }
    return length.map { Array(output[..<$0]) }
  }

  /// What comes out at exactly this length; nil when it is refused.
  private static func restored(_ frame: [UInt8], _ length: Int) throws -> [UInt8]? {
    try restored(frame, length, ZstdDecompressor())
  }

  private static func restored(
    _ frame: [UInt8], _ length: Int, _ decompressor: borrowing ZstdDecompressor
  ) -> [UInt8]? {
    var output = [UInt8](repeating: 0xee, count: length) + margin
    let isRestored = output.withUnsafeMutableBytes { output in
      frame.withUnsafeBytes {
        decompressor.decompress($0, into: UnsafeMutableRawBufferPointer(rebasing: output[..<length]))
      }
    }
    #expect(Array(output[length...]) == margin, "nothing is written outside")
    return isRestored ? Array(output[..<length]) : nil
  }

  private static func noise(_ count: Int) -> [UInt8] {
    var state: UInt64 = 0x9e37_79b9_7f4a_7c15
    return (0..<count).map { _ in
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
      return UInt8(truncatingIfNeeded: state >> 32)
    }
  }

  @Test(arguments: [1, 3, 19], [0, 1, 65, 4_096, 983_040])
  func whatIsCompressedComesBack(level: Int, count: Int) throws {
    // Runs of noise again and again: something for every kind of block.
    let piece = Self.noise(min(max(1, count / 7), 10_000)) + Self.letters
    let bytes = Array(Array(repeating: piece, count: count / piece.count + 1).joined().prefix(count))
    let frame = try #require(try Self.compressed(bytes, level: level))
    #expect(try Self.restored(frame, count) == bytes)
    let header = try #require(frame.withUnsafeBytes { ZstdFrameHeader($0) })
    #expect(header.contentByteCount == UInt64(count) && !header.hasDictionary)
    #expect(header.windowByteCount <= ZstdDecompressor.windowLimit)
  }

  @Test func aHigherLevelStoresLess() throws {
    let text = Self.noise(20_000).flatMap { Array("\($0 % 60)-th of \($0 / 60) words, ".utf8) }
    let lengths = try [1, 19].map { try Self.compressed(text, level: $0)?.count ?? 0 }
    #expect(lengths[0] > lengths[1] && lengths[1] > 0)
  }

  /// One compressor and one decompressor for many, with refusals between them.
  @Test func contextsAreUsedAgain() throws {
    let compressor = try ZstdCompressor(level: 3)
    let decompressor = try ZstdDecompressor()
    var room = [UInt8](repeating: 0, count: 70_000)
    for count in [60_000, 1, 300, 65_536, 0, 12] {
      let bytes = Array(repeating: Self.letters, count: count / 200 + 1).joined().prefix(count)
      let input = Array(bytes)
      let length = room.withUnsafeMutableBytes { room in
        input.withUnsafeBytes { compressor.compress($0, into: room) }
      }
      let frame = Array(room[..<(try #require(length))])
      #expect(Self.restored(Array(frame.dropLast()), count, decompressor) == nil)
      #expect(Self.restored(frame, count, decompressor) == input)
    }
  }

  @Test func whatHasNoRoomIsNotCompressed() throws {
    #expect(try Self.compressed(Self.noise(5_000), room: 4_999) == nil)
    #expect(try Self.compressed(Self.letters, room: 0) == nil)
    #expect(try Self.compressed(Self.letters, room: 10) == nil)
    #expect(try Self.compressed(Self.letters, room: 199) != nil)
  }

  @Test func aFrameMadeByHandIsRead() throws {
    #expect(try Self.restored(Self.frame, 200) == Self.letters)
  }

  @Test(arguments: [0, 1, 199, 201, 983_040]) func anotherLengthIsRefused(_ length: Int) throws {
    #expect(try Self.restored(Self.frame, length) == nil)
  }

  @Test func everyTruncationIsRefused() throws {
    for count in Self.frame.indices { #expect(try Self.restored(Array(Self.frame[..<count]), 200) == nil) }
  }

  /// Whatever stands at one place: it is refused or gives that many bytes, and never more.
  @Test func everyWrongByteIsBorne() throws {
    let decompressor = try ZstdDecompressor()
    var refusedCount = 0
    for offset in Self.frame.indices {
      for value in UInt8.min...UInt8.max where value != Self.frame[offset] {
        var frame = Self.frame
        frame[offset] = value
        if let bytes = Self.restored(frame, 200, decompressor) {
          #expect(bytes != Self.letters || offset >= Self.magic.count, "the magic")
        } else {
          refusedCount += 1
        }
      }
    }
    #expect(refusedCount > 3_000)
  }

  struct Refusal: CustomTestStringConvertible, Sendable {
    let name: String
    let bytes: [UInt8]
    init(_ name: String, _ bytes: [UInt8]) {
      self.name = name
      self.bytes = bytes
    }
    var testDescription: String { name }
  }

  /// A raw block with the letters, and what may come before it.
  private static let block: [UInt8] = [0x41, 0x06, 0] + letters
  private static let skippable: [UInt8] = [0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 1, 2]

  static let refusals = [
    Refusal("nothing", []), Refusal("a byte behind it", frame + [0]), Refusal("the frame twice", frame + frame),
    Refusal("a frame that holds nothing behind it", frame + skippable),
    Refusal("a frame that holds nothing before it", skippable + frame),
    Refusal("an empty frame behind it", frame + magic + [0x20, 0, 1, 0, 0]),
    Refusal("an unknown length", magic + [0x00, 0x50] + block),
    Refusal("another length, short", magic + [0x20, 201] + block),
    Refusal("another length, long", magic + [0xe0, 200, 0, 0, 0, 0, 0, 0, 0x80] + block),
    Refusal("a dictionary", magic + [0x21, 7, 200] + block),
    Refusal("a reserved bit", magic + [0x28, 200] + block),
    Refusal("a window above a mebibyte", magic + [0x80, 0x51, 200, 0, 0, 0] + block),
    Refusal("the largest window", magic + [0x80, 0xff, 200, 0, 0, 0] + block),
    Refusal("a checksum that is wrong", magic + [0x24, 200] + block + [1, 2, 3, 4]),
    Refusal("the magic of an old version", [0x27] + frame.dropFirst()),
    Refusal("a reserved kind of block", magic + [0x20, 200, 0x47, 0x06, 0] + letters),
    Refusal("a block that repeats a byte far too often", magic + [0x20, 200, 0xfb, 0xff, 0xff, 0]),
    Refusal("a block with no end", magic + [0x20, 200, 0x40, 0x06, 0] + letters),
    Refusal("an old frame, 0.7", [0x27, 0xb5, 0x2f, 0xfd, 0x20, 200] + block),
  ]

  @Test(arguments: refusals) func refuses(_ sample: Refusal) throws {
    #expect(try Self.restored(sample.bytes, 200) == nil)
  }

  @Test func everyFormOfTheHeaderIsRead() throws {
    let forms: [[UInt8]] = [
      [0x20, 200], [0xa0, 200, 0, 0, 0], [0xe0, 200, 0, 0, 0, 0, 0, 0, 0], [0x80, 0x50, 200, 0, 0, 0],
      [0xc0, 0x00, 200, 0, 0, 0, 0, 0, 0, 0], [0x30, 200], [0x21, 0, 200], [0x22, 0, 0, 200], [0x23, 0, 0, 0, 0, 200],
    ]
    for form in forms { #expect(try Self.restored(Self.magic + form + Self.block, 200) == Self.letters, "\(form)") }
    let long = Array(repeating: Self.letters, count: 2).joined()
    // Two bytes of length count from 256.
    #expect(try Self.restored(Self.magic + [0x60, 144, 0, 0x81, 0x0c, 0] + long, 400) == Array(long))
  }
}
