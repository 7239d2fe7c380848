import VaultModel

/// How a device makes and fills its volumes.
package struct DeviceParameters: Sendable {
  /// Whose volumes these are; a volume of another repository is refused.
  package var repository: UniqueIdentifier
  package var pool: String
  package var mediaType: String
  /// What the volumes' names begin with; others in the store are none of this device's.
  package var volumePrefix: String
  /// Header and payload of a block at most; a multiple of 4096 within `BlockHeader.maximumBlockSizes`.
  package let maximumBlockSize: Int
  /// A volume closes before it grows beyond this.
  package let maximumVolumeSize: UInt64
  /// Bytes of a volume that may wait for a sync; a cancel never waits longer than it takes to sync them.
  package var unsyncedLimit: UInt64
  /// Bytes after which a sync begins beside the writing.
  var syncStep: UInt64 { unsyncedLimit / 2 }
  /// Block buffers of one device control record: its memory limit.
  package var blockBufferCount: Int

  /// What a volume keeps free for a last commit and a session end.
  static let reservedByteCount: UInt64 = 2 * UInt64(BlockHeader.alignment)
  /// 16 TiB less one block: block addresses on disk have 32 bits.
  private static let addressableByteCount: UInt64 = UInt64(UInt32.max) * UInt64(BlockHeader.alignment)

  /// - Bounds: the block size is brought to the nearest that a label may have; the volume size to at least a label, a
  ///   session start, one block and the reserve, and at most what block addresses reach.
  package init(
    repository: UniqueIdentifier, pool: String = "Default", mediaType: String = "File",
    volumePrefix: String = VolumeName.defaultPrefix,
    maximumBlockSize: Int = 1 << 20, maximumVolumeSize: UInt64 = 4095 << 20, unsyncedLimit: UInt64 = 64 << 20,
    blockBufferCount: Int = 4
  ) {
    self.repository = repository
    self.pool = pool
    self.mediaType = mediaType
    self.volumePrefix = volumePrefix
    let sizes = BlockHeader.maximumBlockSizes
    let blockSize = min(max(maximumBlockSize, sizes.lowerBound), sizes.upperBound) & ~(BlockHeader.alignment - 1)
    self.maximumBlockSize = blockSize
    let smallest = 2 * UInt64(blockSize) + Self.reservedByteCount + UInt64(BlockHeader.alignment)
    self.maximumVolumeSize = min(max(maximumVolumeSize, smallest), Self.addressableByteCount)
    self.unsyncedLimit = unsyncedLimit
    self.blockBufferCount = max(2, blockBufferCount)
  }
}
