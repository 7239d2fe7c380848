import VaultModel
import VaultProtocol

/// Something that is wrong with a stretch of a volume.
package struct VolumeFinding: Hashable, Sendable {
  package enum Reason: Hashable, Sendable {
    /// The volume's file cannot be used at all.
    case unreadable(DeviceError)
    /// The first block is no label.
    case damagedLabel
    /// The file ends before, or inside, what should be there.
    case truncated(size: UInt64)
    case noBlock
    case checksumMismatch
    /// A whole block of another volume, or one that another has overtaken.
    case stale
    case readFailed(DeviceError)
    case paddingNotZero
    case malformedContent
    /// The group's bytes do not match its digest.
    case damagedGroup
    /// No block begins at the group's address, or the block does not hold it.
    case missingGroup
  }

  /// The blocks concerned: from one address to before another, in units of 4096 bytes.
  package var blocks: Range<UInt32>
  package var reason: Reason
  /// The only group concerned, with its session; nil for all groups in the blocks.
  package var group: GroupName?
  /// Whether groups in the blocks can be read nevertheless.
  package var isHarmless = false

  /// A group by its session and number.
  package struct GroupName: Hashable, Sendable {
    package var session: UniqueIdentifier
    package var number: UInt64
  }
}

extension VolumeFinding.Reason {
  /// What is wrong, in words.
  package var text: String {
    switch self {
    case .unreadable(let error), .readFailed(let error): error.description
    case .damagedLabel: "the label cannot be read"
    case .truncated(let size): "the file is truncated: it ends after \(size) bytes"
    case .noBlock: "no block begins there"
    case .checksumMismatch: "the block does not match its checksum"
    case .stale: "a block lies there that is not the volume's, or not in its place"
    case .paddingNotZero: "the padding behind the block is not zero"
    case .malformedContent: "the block's content is malformed"
    case .damagedGroup: "a record group does not match its digest"
    case .missingGroup: "a record group is not where it should be"
    }
  }
}

/// What an examination went through.
package struct VolumeExamined: Hashable, Sendable {
  /// Where the next examination goes on.
  package var next: UInt32
  /// Sound blocks.
  package var blockCount: UInt64 = 0
  /// Blocks of record groups of which none was expected, and their bytes.
  package var deadBlockCount: UInt64 = 0
  package var deadByteCount: UInt64 = 0
  /// The file's length.
  package var size: UInt64 = 0
  /// Whether the volume can be read at all; nothing of it was examined otherwise.
  package var isReadable = true
}
