import VaultCompression
import VaultCrypto
import VaultModel

/// The header that starts every record group.
///
/// - Layout: 128 bytes, little-endian; the table in vault-volume(5).
/// - Bounds: `rawLength` is at most `GroupLimits.rawLimit`, header and stored bytes at most `GroupLimits.storedLimit`.
package struct GroupHeader: Hashable, Sendable {
  package static let byteCount = 128
  package static let magic: UInt32 = 0x5052_4756
  package static let formatVersion: UInt16 = 0

  package enum Codec: UInt8, Sendable {
    case none = 0
    case lz4 = 1
    case zstd = 2
  }

  /// Non-critical flag: everything before this group's end is sealed, or belongs to one large file; a commit may follow.
  package static let mayCommitFlag: UInt32 = 1
  private static let criticalFlags: UInt32 = 0xffff_0000

  package var kind: GroupKind
  package var codec: Codec
  package var flags: UInt32
  package var session: UniqueIdentifier
  package var attempt: UInt32
  package var recordCount: UInt32
  package var number: UInt64
  package var firstEntry: UInt64
  package var firstOffset: UInt64
  package var rawLength: UInt32
  package var storedLength: UInt32
  package var digest: Checksum128

  package init(
    kind: GroupKind, codec: Codec, flags: UInt32, session: UniqueIdentifier, attempt: UInt32, recordCount: UInt32,
    number: UInt64, firstEntry: UInt64, firstOffset: UInt64, rawLength: UInt32, storedLength: UInt32,
    digest: Checksum128
  ) {
    self.kind = kind
    self.codec = codec
    self.flags = flags
    self.session = session
    self.attempt = attempt
    self.recordCount = recordCount
    self.number = number
    self.firstEntry = firstEntry
    self.firstOffset = firstOffset
    self.rawLength = rawLength
    self.storedLength = storedLength
    self.digest = digest
  }

  package var mayCommit: Bool { flags & Self.mayCommitFlag != 0 }
  /// Header and stored bytes.
  package var totalByteCount: Int { Self.byteCount + Int(storedLength) }

  /// Writes the header, checksum included, into the first 128 bytes of `output`.
  package func encode(into output: UnsafeMutableRawBufferPointer) {
    guard output.count >= Self.byteCount else { return }
    func put<Integer: FixedWidthInteger>(_ value: Integer, _ offset: Int) {
      output.storeBytes(of: value.littleEndian, toByteOffset: offset, as: Integer.self)
    }
    for offset in stride(from: 0, to: Self.byteCount, by: 8) { put(0 as UInt64, offset) }
    put(Self.magic, 0)
    put(Self.formatVersion, 4)
    put(kind.rawValue, 6)
    put(codec.rawValue, 7)
    put(flags, 12)
    put(session.high.byteSwapped, 16)
    put(session.low.byteSwapped, 24)
    put(attempt, 32)
    put(recordCount, 36)
    put(number, 40)
    put(firstEntry, 48)
    put(firstOffset, 56)
    put(rawLength, 64)
    put(storedLength, 68)
    put(digest.high.byteSwapped, 104)
    put(digest.low.byteSwapped, 112)
    put(XXH3.checksum64(UnsafeRawBufferPointer(rebasing: output[..<120])), 120)
  }

  /// Reads and checks the header at the beginning of `bytes`; what follows it is not looked at.
  package init(decoding bytes: UnsafeRawBufferPointer) throws(FormatError) {
    var reader = ByteReader(bytes, "record group header")
    guard bytes.count >= Self.byteCount else { throw reader.error(.truncated) }
    guard try reader.integer(UInt32.self) == Self.magic else { throw reader.error(.badMagic) }
    let checksum = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 120, as: UInt64.self))
    guard XXH3.checksum64(UnsafeRawBufferPointer(rebasing: bytes[..<120])) == checksum else {
      throw reader.error(.checksumMismatch)
    }
    let version: UInt16 = try reader.integer()
    guard version == Self.formatVersion else { throw reader.error(.unsupportedVersion(version)) }
    let kindNumber: UInt8 = try reader.integer()
    let codecNumber: UInt8 = try reader.integer()
    let cipher: UInt8 = try reader.integer()
    try reader.zeros(3)
    flags = try reader.integer()
    guard flags & Self.criticalFlags == 0 else { throw reader.error(.unknownCritical(flags)) }
    guard cipher == 0 else { throw reader.error(.unknownCodec(cipher)) }
    guard let kind = GroupKind(rawValue: kindNumber) else { throw reader.error(.unknownCritical(UInt32(kindNumber))) }
    guard let codec = Codec(rawValue: codecNumber) else { throw reader.error(.unknownCodec(codecNumber)) }
    self.kind = kind
    self.codec = codec
    session = try reader.identifier()
    attempt = try reader.integer()
    recordCount = try reader.integer()
    number = try reader.integer()
    firstEntry = try reader.integer()
    firstOffset = try reader.integer()
    rawLength = try reader.integer()
    storedLength = try reader.integer()
    try reader.zeros(32)
    let high: UInt64 = try reader.integer()
    let low: UInt64 = try reader.integer()
    digest = Checksum128(high: high.byteSwapped, low: low.byteSwapped)
    guard rawLength <= GroupLimits.rawLimit, storedLength <= rawLength, codec != .none || storedLength == rawLength,
      number <= UInt64(Int64.max), (number == 0) == (kind == .commit), firstEntry <= UInt64(Int64.max),
      firstOffset <= UInt64(Int64.max)
    else { throw reader.error(.outOfBounds) }
  }
}

/// A whole group in foreign bytes: the header and the stored bytes behind it.
package struct GroupView {
  package let header: GroupHeader
  package let stored: UnsafeRawBufferPointer
  /// Header and stored bytes.
  package let bytes: UnsafeRawBufferPointer

  /// Reads the group at the beginning of `bytes` and checks its header; `verify` checks the stored bytes.
  package init(decoding bytes: UnsafeRawBufferPointer) throws(FormatError) {
    header = try GroupHeader(decoding: bytes)
    guard bytes.count - GroupHeader.byteCount >= Int(header.storedLength) else {
      throw FormatError(.truncated, "record group")
    }
    stored = UnsafeRawBufferPointer(rebasing: bytes[GroupHeader.byteCount..<header.totalByteCount])
    self.bytes = UnsafeRawBufferPointer(rebasing: bytes[..<header.totalByteCount])
  }

  /// Checks the digest over the stored bytes.
  package func verify() throws(FormatError) {
    guard XXH3.checksum128(stored) == header.digest else { throw FormatError(.checksumMismatch, "record group") }
  }
}
