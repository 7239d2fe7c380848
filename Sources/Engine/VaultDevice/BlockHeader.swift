import Glibc
import VaultCrypto
import VaultModel
import VaultProtocol

/// What a block holds.
package enum BlockKind: UInt8, Sendable, CaseIterable {
  /// The volume's first block: one label record.
  case label = 1
  /// An attempt begins: one job record, and when the attempt continues a session, its last commit record.
  case sessionStart = 2
  /// Whole record groups of one session.
  case groups = 3
  /// A session is complete: one job end record.
  case sessionEnd = 4
  /// Which jobs were dropped: retention records.
  case retention = 5
  /// Everything before it is all that is needed of the volume that the label names: one replacement record.
  case replacement = 6
}

/// The header that starts every block on a volume.
///
/// - Layout: 80 bytes, little-endian; the table in vault-volume(5).
/// - Bounds: header and payload are at most the label's Maximum Block Size.
package struct BlockHeader: Hashable, Sendable {
  package static let byteCount = 80
  package static let magic: UInt32 = 0x4b4c_4256
  package static let formatVersion: UInt16 = 0
  /// Blocks begin at, and are padded to, multiples of this.
  package static let alignment = 4096
  /// What a label may allow for one block.
  package static let maximumBlockSizes = 8192...(16 << 20)

  package var kind: BlockKind
  /// Header and payload, without padding.
  package var length: UInt32
  package var attempt: UInt32
  package var volume: UniqueIdentifier
  /// 0 for the label, then one more with each block of the volume.
  package var number: UInt64
  package var session: UniqueIdentifier
  /// The first and last of the block's group numbers; both 0 when it holds no numbered group.
  package var firstGroup: UInt64
  package var lastGroup: UInt64

  package init(
    kind: BlockKind, length: UInt32 = 0, attempt: UInt32 = 0, volume: UniqueIdentifier = .none, number: UInt64 = 0,
    session: UniqueIdentifier = .none, firstGroup: UInt64 = 0, lastGroup: UInt64 = 0
  ) {
    self.kind = kind
    self.length = length
    self.attempt = attempt
    self.volume = volume
    self.number = number
    self.session = session
    self.firstGroup = firstGroup
    self.lastGroup = lastGroup
  }

  /// What the block takes on its volume.
  package var paddedByteCount: Int { Self.padded(Int(length)) }

  /// The next multiple of the alignment.
  package static func padded(_ byteCount: Int) -> Int { (byteCount + alignment - 1) & ~(alignment - 1) }

  /// Writes the header, with the checksum over it and the payload behind it, and zeroes the padding.
  ///
  /// - Bounds: `block` holds at least `paddedByteCount` bytes, and `length` is at least `byteCount`.
  package func seal(_ block: UnsafeMutableRawBufferPointer) {
    let length = Int(length)
    guard length >= Self.byteCount, block.count >= paddedByteCount else { return }
    func put<Integer: FixedWidthInteger>(_ value: Integer, _ offset: Int) {
      block.storeBytes(of: value.littleEndian, toByteOffset: offset, as: Integer.self)
    }
    put(Self.magic, 0)
    put(Self.formatVersion, 4)
    put(kind.rawValue, 6)
    put(0 as UInt8, 7)
    put(0 as UInt64, 8)
    put(self.length, 16)
    put(attempt, 20)
    put(volume.high.byteSwapped, 24)
    put(volume.low.byteSwapped, 32)
    put(number, 40)
    put(session.high.byteSwapped, 48)
    put(session.low.byteSwapped, 56)
    put(firstGroup, 64)
    put(lastGroup, 72)
    if let base = block.baseAddress { memset(base + length, 0, paddedByteCount - length) }
    put(XXH3.checksum64(UnsafeRawBufferPointer(rebasing: block[..<length])), 8)
  }

  /// Reads the header at the beginning of `bytes`; the checksum is not looked at, for it needs the whole block.
  package init(decoding bytes: UnsafeRawBufferPointer) throws(FormatError) {
    var reader = ByteReader(bytes, "block header")
    guard bytes.count >= Self.byteCount else { throw reader.error(.truncated) }
    guard try reader.integer(UInt32.self) == Self.magic else { throw reader.error(.badMagic) }
    let version: UInt16 = try reader.integer()
    guard version == Self.formatVersion else { throw reader.error(.unsupportedVersion(version)) }
    let kindNumber: UInt8 = try reader.integer()
    try reader.zeros(1)
    _ = try reader.integer(UInt64.self)
    length = try reader.integer()
    attempt = try reader.integer()
    volume = try reader.identifier()
    number = try reader.integer()
    session = try reader.identifier()
    firstGroup = try reader.integer()
    lastGroup = try reader.integer()
    guard let kind = BlockKind(rawValue: kindNumber) else { throw reader.error(.unknownCritical(UInt32(kindNumber))) }
    self.kind = kind
    guard length >= Self.byteCount, length <= Self.maximumBlockSizes.upperBound, firstGroup <= lastGroup,
      lastGroup <= UInt64(Int64.max), number <= UInt64(UInt32.max)
    else { throw reader.error(.outOfBounds) }
  }

  /// Whether a whole block, without its padding, matches its checksum; the bytes are the same afterwards.
  package static func isIntact(_ block: UnsafeMutableRawBufferPointer) -> Bool {
    guard block.count >= byteCount else { return false }
    let stored = block.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
    block.storeBytes(of: 0, toByteOffset: 8, as: UInt64.self)
    defer { block.storeBytes(of: stored, toByteOffset: 8, as: UInt64.self) }
    return XXH3.checksum64(UnsafeRawBufferPointer(block)) == UInt64(littleEndian: stored)
  }
}

extension BlockAddress {
  /// The address of a byte offset on disk, which must be a multiple of the alignment below 16 TiB.
  init(byteOffset: UInt64) { self.init(block: UInt32(clamping: byteOffset / UInt64(BlockHeader.alignment))) }

  /// Where the block begins on disk.
  package var byteOffset: UInt64 { UInt64(block) * UInt64(BlockHeader.alignment) }
}
