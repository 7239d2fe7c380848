import Testing
import VaultModel
import VaultProtocol

/// Seed 001's header packet.
@Suite struct StreamHeaderTests {
  @Test func filesHaveANameAndGroupsNeedNone() throws {
    let file = try StreamHeader(Array("17 1 a%20b%FF=c".utf8))
    #expect(file.index == 17 && file.stream == 1)
    #expect(file.content == .file(name: ByteString([0x61, 0x20, 0x62, 0xff, 0x3d, 0x63])))
    #expect(try StreamHeader(Array("9223372036854775807 63 x".utf8)).index == UInt64(Int64.max))
    #expect(try StreamHeader(Array("1 64 record-groups".utf8)).content == .groups)
    #expect(try StreamHeader(Array("1 64".utf8)).content == .groups)
  }

  @Test(arguments: [
    "", " ", "1", "1 1", "1 1 a b", "0 1 a", "-1 1 a", "x 1 a", "1 0 a", "1 65 a", "1 256 a", "1 x a",
    "9223372036854775808 1 a", "99999999999999999999 1 a", "1 1 .", "1 1 ..", "1 1 a/b", "1 1 %2F", "1 1 a%00",
    "1 1 %4",
    "1 1 %", "1 1 \u{e9}", "1 1 a\n", "1 1 " + String(repeating: "a", count: 256),
    "1 64 " + String(repeating: "a", count: 1020),
  ])
  func everythingElseIsRefused(_ text: String) {
    #expect(throws: FormatError.self) { try StreamHeader(Array(text.utf8)) }
  }
}

/// Where a session lies, in the seed's words.
@Suite struct VolumeLineTests {
  private static let line = VolumeLine(
    volume: "vol-0001", start: BlockAddress(file: 0, block: 2), end: BlockAddress(file: 1, block: 4_294_967_295),
    session: UniqueIdentifier(high: 0xa1a2_a3a4_a5a6_47a8, low: 0x89aa_abac_adae_afb0))

  @Test func itIsTheSeedsLine() throws {
    let text = "Volume = vol-0001 0 2 1 4294967295 a1a2a3a4-a5a6-47a8-89aa-abacadaeafb0\n"
    #expect(String(decoding: Self.line.line.encoded(), as: UTF8.self) == text)
    #expect(VolumeLine(words: Self.line.words) == Self.line)
  }

  @Test(arguments: [
    "", "vol-0001 0 2 0 3", "vol-0001 0 2 0 3 x", "vol-0001 0 2 0 1 a1a2a3a4-a5a6-47a8-89aa-abacadaeafb0",
    "vol-0001 0 -2 0 3 a1a2a3a4-a5a6-47a8-89aa-abacadaeafb0",
    "vol-0001 0 2 0 4294967296 a1a2a3a4-a5a6-47a8-89aa-abacadaeafb0",
    "vol-0001 0 2 0 3 a1a2a3a4-a5a6-47a8-89aa-abacadaeafb0 more",
  ])
  func otherWordsAreNone(_ text: String) {
    #expect(VolumeLine(words: text.split(separator: " ").map { ByteString(String($0)) }) == nil)
  }
}
