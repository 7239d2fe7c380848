import Testing
import VaultDevice
import VaultModel
import VaultProtocol

@Suite struct BlockHeaderTests {
  private static let payload = Array("payload".utf8)
  private static let header = BlockHeader(
    kind: .groups, length: 87, attempt: 3, volume: Fixture.volume, number: 9, session: Fixture.sessionA, firstGroup: 4,
    lastGroup: 6)

  private static func sealed(_ header: BlockHeader = header) -> [UInt8] {
    var block = [UInt8](repeating: 0xee, count: 4096)
    block.replaceSubrange(80..<87, with: payload)
    block.withUnsafeMutableBytes { header.seal($0) }
    return block
  }

  @Test func comesBackAsWritten() throws {
    var block = Self.sealed()
    #expect(try block.withUnsafeBytes { try BlockHeader(decoding: $0) } == Self.header)
    #expect(block[87...].allSatisfy { $0 == 0 })
    let before = block
    #expect(block.withUnsafeMutableBytes { BlockHeader.isIntact(UnsafeMutableRawBufferPointer(rebasing: $0[..<87])) })
    #expect(block == before)
  }

  @Test func findsEveryFlippedBit() {
    for offset in 0..<87 {
      for bit in 0..<8 {
        var block = Self.sealed()
        block[offset] ^= 1 << bit
        let isIntact = block.withUnsafeMutableBytes { block in
          guard let header = try? BlockHeader(decoding: UnsafeRawBufferPointer(block)),
            Int(header.length) <= block.count
          else { return false }
          return BlockHeader.isIntact(UnsafeMutableRawBufferPointer(rebasing: block[..<Int(header.length)]))
        }
        #expect(!isIntact, "byte \(offset), bit \(bit)")
      }
    }
  }

  @Test(arguments: [
    (0, [0x56, 0x47] as [UInt8], FormatError.Kind.badMagic), (4, [1], .unsupportedVersion(1)),
    (6, [0], .unknownCritical(0)), (6, [9], .unknownCritical(9)), (7, [1], .malformed), (16, [79], .outOfBounds),
    (16, [1, 0, 0, 1], .outOfBounds), (64, [7], .outOfBounds), (79, [0x80], .outOfBounds), (44, [1], .outOfBounds),
  ]) func refuses(_ offset: Int, _ bytes: [UInt8], _ kind: FormatError.Kind) {
    var block = Self.sealed()
    block.replaceSubrange(offset..<offset + bytes.count, with: bytes)
    #expect(throws: FormatError(kind, "block header")) {
      try block.withUnsafeBytes { _ = try BlockHeader(decoding: $0) }
    }
  }

  @Test(arguments: [(0, 0), (1, 4096), (4096, 4096), (4097, 8192), (1 << 20, 1 << 20)])
  func pads(_ count: Int, _ padded: Int) { #expect(BlockHeader.padded(count) == padded) }

  @Test(
    arguments: [
      ("vol-0001", 1), ("vol-9999", 9999), ("vol-10000", 10000), ("vol-0000", nil), ("vol-1", nil), ("vol-00001", nil),
      ("vol-+001", nil), ("vol-0001.bak", nil), ("Vol-0001", nil), ("vol-", nil), ("vol-99999999999999999999999", nil),
    ] as [(String, Int?)]) func volumeNames(_ name: String, _ number: Int?)
  {
    #expect(VolumeName.number(name, prefix: "vol-") == number)
    if let number { #expect(VolumeName.make(number) == name) }
  }

  @Test func prefixesOfPoolsTellTheirVolumesApart() {
    #expect(VolumeName.make(7, prefix: "Weekly-") == "Weekly-0007")
    #expect(VolumeName.number("Weekly-0007", prefix: "Weekly-") == 7)
    #expect(VolumeName.number("Weekly-0007") == 7)
    #expect(VolumeName.number("Weekly-0007", prefix: "Week") == nil)
    for prefix in ["", ".hidden-", "a/b-", "digit1", "a b-"] { #expect(!VolumeName.isPrefix(prefix)) }
  }

  @Test func volumeNamesAreOrderedByNumber() {
    let names = ["vol-10000", "other", "vol-0002", "vol-9999", "alpha"]
    #expect(names.sorted(by: VolumeName.isBefore) == ["vol-0002", "vol-9999", "vol-10000", "alpha", "other"])
  }
}
