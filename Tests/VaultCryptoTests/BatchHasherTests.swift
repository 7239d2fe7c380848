import Testing
import VaultModel

@testable import VaultCrypto

/// Digests of many contents at once, beside those of one after the other.
@Suite(.timeLimit(.minutes(1))) struct BatchHasherTests {
  private static let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 7 ^ $0) }

  /// Digests slices of `bytes` with one hasher, in batches, and compares each.
  private static func expectDigests(ofBatches batches: [[Range<Int>]]) throws {
    var batch = try BatchHasher()
    var hasher = try SHA256Hasher()
    var digests: [Digest256] = []
    try bytes.withUnsafeBytes { bytes in
      for ranges in batches {
        for range in ranges { batch.add(UnsafeRawBufferPointer(rebasing: bytes[range])) }
        #expect(batch.count == ranges.count)
        try batch.finish(into: &digests)
        #expect(batch.count == 0)
        #expect(digests.count == ranges.count)
        for (range, digest) in zip(ranges, digests) {
          try hasher.begin()
          try hasher.update(UnsafeRawBufferPointer(rebasing: bytes[range]))
          let expected = try hasher.finish()
          #expect(digest == expected, "of \(range)")
        }
      }
    }
  }

  /// What is padded in every way.
  @Test func everyLength() throws {
    try Self.expectDigests(ofBatches: [(0...1100).map { $0..<2 * $0 }])
  }

  /// The library counts other digests' lengths with 16 bits.
  @Test func lengthsThatNeedMoreThan16Bits() throws {
    let lengths = [65_533, 65_534, 65_535, 65_536, 65_537, 131_072, 299_000]
    let alone = [0..<299_000, 0..<300, 0..<299_000]
    try Self.expectDigests(
      ofBatches: lengths.map { [5..<5 + $0, 0..<$0, 9..<10] } + [lengths.map { 1..<1 + $0 }, alone])
  }

  /// Batches of none, of one, of more than the library queues, with lengths far apart.
  @Test func batchesOfAnySize() throws {
    var random = SystemRandomNumberGenerator()
    let batches = [0, 1, 2, 3, 255, 256, 257, 1000, 1, 0].map { count in
      (0..<count).map { _ in
        let start = Int.random(in: 0..<1000, using: &random)
        let limit = Bool.random(using: &random) ? 64 : Bool.random(using: &random) ? 5000 : 70_000
        return start..<start + Int.random(in: 0...limit, using: &random)
      }
    }
    try Self.expectDigests(ofBatches: batches)
  }

  @Test func whatIsRemovedIsNotDigested() throws {
    var batch = try BatchHasher()
    var digests = [Digest256(words: (1, 2, 3, 4))]
    Self.bytes.withUnsafeBytes { batch.add($0) }
    batch.removeAll()
    try batch.finish(into: &digests)
    #expect(digests.isEmpty)
  }

  #if arch(x86_64)
    /// Otherwise all of this compares one library with itself.
    @Test func thisProcessorDigestsSideBySide() throws {
      let isSideBySide = try BatchHasher().isSideBySide
      #expect(isSideBySide)
    }
  #endif
}
