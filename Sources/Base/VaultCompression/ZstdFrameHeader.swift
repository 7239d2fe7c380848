/// What the header of a Zstandard frame says before any of it is decompressed.
///
/// - Source: RFC 8878, section 3.1.1.1.
struct ZstdFrameHeader {
  private static let magic: UInt32 = 0xfd2f_b528

  /// How far back the content refers to itself at most.
  let windowByteCount: UInt64
  /// nil when the frame does not say it.
  let contentByteCount: UInt64?
  let hasDictionary: Bool

  /// Reads the header at the beginning of `bytes`; nil when there is none.
  init?(_ bytes: UnsafeRawBufferPointer) {
    guard bytes.count >= 5, UInt32(littleEndian: bytes.loadUnaligned(as: UInt32.self)) == Self.magic else { return nil }
    let descriptor = bytes[4]
    let isReservedBitSet = descriptor & 0x08 != 0
    let isSingleSegment = descriptor & 0x20 != 0
    var rest = bytes[5...]
    func number(_ byteCount: Int) -> UInt64? {
      guard rest.count >= byteCount else { return nil }
      defer { rest = rest.dropFirst(byteCount) }
      return rest.prefix(byteCount).reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
    guard !isReservedBitSet, let window = number(isSingleSegment ? 0 : 1),
      let dictionary = number([0, 1, 2, 4][Int(descriptor & 0x03)]),
      let content = number([isSingleSegment ? 1 : 0, 2, 4, 8][Int(descriptor >> 6)])
    else { return nil }
    hasDictionary = dictionary != 0
    switch descriptor >> 6 {
    case 0: contentByteCount = isSingleSegment ? content : nil
    // Two bytes count from 256.
    case 1: contentByteCount = content + 256
    default: contentByteCount = content
    }
    let base: UInt64 = 1 << (10 + (window >> 3))
    windowByteCount = isSingleSegment ? contentByteCount ?? 0 : base + base / 8 * (window & 7)
  }
}
