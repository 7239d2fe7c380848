import VaultModel
import VaultProtocol

/// Frame payloads byte by byte, made by a program that shares no code with this one, and what they stand for.
enum Golden {
  /// The bytes that hexadecimal digits stand for; white space does not count.
  static func bytes(_ text: String) -> [UInt8] {
    let digits = text.compactMap(\.hexDigitValue)
    return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
  }

  static let volumeIdentifier = UniqueIdentifier(high: 0x0011_2233_4455_6677, low: 0x8899_aabb_ccdd_eeff)
  static let session = UniqueIdentifier(high: 0xa1a2_a3a4_a5a6_47a8, low: 0x89aa_abac_adae_afb0)

  /// Two group locations: data group 5 and attribute group 6.
  static let locations = bytes(
    """
    05000000000000000700000000000000001000000000000000112233445566778899aabbccddeeff0000000003010000
    00040000000800000100000006000000000000000900000000000000000000000000000000112233445566778899aabb
    ccddeeff0000000004010000c80000002c01000002000000
    """)
  static let locationValues = [
    GroupLocation(
      group: 5, kind: .data, firstEntry: 7, firstOffset: 4096, volume: volumeIdentifier,
      block: BlockAddress(block: 259), storedLength: 1024, rawLength: 2048),
    GroupLocation(
      group: 6, kind: .attributes, firstEntry: 9, firstOffset: 0, volume: volumeIdentifier,
      block: BlockAddress(block: 260), storedLength: 200, rawLength: 300),
  ]

  /// `vol-0001` takes data and ends at block 4096; `vol-0002`, labelled before 1970, had an error.
  static let volumes = bytes(
    """
    0200000000112233445566778899aabbccddeeff000000000010000015cd853dfe9c97170008766f6c2d30303031a1a2
    a3a4a5a647a889aaabacadaeafb00000000003000000fbffffffffffffff0208766f6c2d30303032
    """)
  static let volumeValues = [
    Volume(
      identifier: volumeIdentifier, name: "vol-0001", status: .append, end: BlockAddress(block: 4096),
      labeled: Timestamp(nanoseconds: 1_700_000_000_123_456_789)),
    Volume(
      identifier: session, name: "vol-0002", status: .error, end: BlockAddress(block: 3),
      labeled: Timestamp(nanoseconds: -5)),
  ]

  /// Commit 17 of attempt 2: five frames follow.
  static let commit = bytes("1100000000000000 02000000 05000000") + volumes
  static let commitValue = CommitFrame(number: 17, attempt: 2, frameCount: 5, volumes: volumeValues)

  static let question = bytes("00fd00000000000088776655443322113930000000000000f9ffffffffffffffffc99a3b")
  static let answer = bytes(
    """
    01a1a2a3a4a5a647a889aaabacadaeafb007000000000000003930000000000000010500000000000000010203040506
    0708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
    """)
  static let answerValue = ContentReference.stored(
    ContentIdentifier(session: session, index: 7),
    SealedContent(
      size: 12345, algorithm: .sha256,
      digest: Digest256(
        words: (0x0001_0203_0405_0607, 0x0809_0a0b_0c0d_0e0f, 0x1011_1213_1415_1617, 0x1819_1a1b_1c1d_1e1f)),
      flags: [.changedWhileReading, .racy]))

  /// `/etc`, a name that is not UTF-8, and the root.
  static let paths = bytes("040000002f657463 050000002f636166e9 010000002f")
  static let pathValues = [ByteString("/etc"), ByteString([0x2f, 0x63, 0x61, 0x66, 0xe9]), ByteString("/")]
}
