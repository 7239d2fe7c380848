import Testing
import VaultCrypto
import VaultModel
import VaultProtocol

/// A small seeded generator: the same seed gives the same bytes everywhere.
struct SplitMix: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var value = state
    value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
    value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
    return value ^ (value >> 31)
  }
}

/// Bytes from outside never trap: mutated records and groups end with records or an error.
@Suite struct RecordFuzzTests {
  private static let corpus = RecordGoldenTests.cases.map(\.golden) + [Golden.unknownOther, Golden.unknownCritical]

  private static func mutate(_ bytes: inout [UInt8], using generator: inout SplitMix) {
    for _ in 0..<Int.random(in: 1...4, using: &generator) {
      let index = bytes.isEmpty ? 0 : Int.random(in: 0..<bytes.count, using: &generator)
      switch Int.random(in: 0..<6, using: &generator) {
      case 0 where !bytes.isEmpty: bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
      case 1 where !bytes.isEmpty: bytes[index] = [0, 1, 0x7f, 0x80, 0xff].randomElement(using: &generator) ?? 0
      case 2: bytes.removeLast(min(bytes.count, Int.random(in: 0..<8, using: &generator)))
      case 3: bytes.insert(contentsOf: (0..<4).map { _ in UInt8.random(in: 0...255, using: &generator) }, at: index)
      case 4 where bytes.count >= index + 8:
        bytes.replaceSubrange(index..<index + 8, with: repeatElement(0xff, count: 8))
      default: bytes += corpus.randomElement(using: &generator) ?? []
      }
    }
  }

  @Test func mutatedRecordsNeverTrap() {
    var generator = SplitMix(seed: 20_251)
    var readCount = 0
    var refusedCount = 0
    for _ in 0..<20_000 {
      var bytes = Self.corpus.randomElement(using: &generator) ?? []
      Self.mutate(&bytes, using: &generator)
      do throws(FormatError) {
        let again = try rewritten(bytes)
        // What was read is written so that it reads the same: nothing half-understood goes on.
        #expect(try rewritten(again) == again)
        readCount += 1
      } catch { refusedCount += 1 }
    }
    // Mutations that nothing refuses, and ones that everything refuses, would test nothing.
    #expect(readCount > 2_000)
    #expect(refusedCount > 2_000)
  }

  @Test func mutatedGroupsNeverTrap() throws {
    var generator = SplitMix(seed: 7)
    let decoder = try GroupDecoder()
    let samples = [Golden.attributeGroup, Golden.compressedGroup, Golden.zstdGroup]
    var readCount = 0
    for number in 0..<10_000 {
      var bytes = samples[number % samples.count]
      Self.mutate(&bytes, using: &generator)
      if bytes.count >= GroupHeader.byteCount { Self.mend(&bytes) }
      let isRead = bytes.withUnsafeBytes { bytes in
        guard let group = try? GroupView(decoding: bytes), let raw = try? decoder.records(of: group) else {
          return false
        }
        var reader = RecordReader(raw)
        while let record = try? reader.next() { withExtendedLifetime(record) {} }
        return true
      }
      if isRead { readCount += 1 }
    }
    #expect(readCount > 500)
  }

  /// Makes digest and checksum right, so that the mutation gets past them.
  private static func mend(_ bytes: inout [UInt8]) {
    let digest = bytes[GroupHeader.byteCount...].withUnsafeBytes { XXH3.checksum128($0) }
    bytes.replaceSubrange(104..<112, with: withUnsafeBytes(of: digest.high.bigEndian) { Array($0) })
    bytes.replaceSubrange(112..<120, with: withUnsafeBytes(of: digest.low.bigEndian) { Array($0) })
    let stored = UInt32(bytes.count - GroupHeader.byteCount)
    if bytes[7] != 0 || bytes.count % 3 == 0 {
      bytes.replaceSubrange(68..<72, with: withUnsafeBytes(of: stored.littleEndian) { Array($0) })
    }
    let checksum = bytes[..<120].withUnsafeBytes { XXH3.checksum64($0) }
    bytes.replaceSubrange(120..<128, with: withUnsafeBytes(of: checksum.littleEndian) { Array($0) })
  }
}
