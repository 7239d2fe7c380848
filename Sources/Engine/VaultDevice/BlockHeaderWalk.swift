import VaultModel

/// Goes from block header to block header, so that a volume costs one small read for each block.
///
/// It believes what headers say: whoever needs to be sure reads the block. Where there is none it looks at the next
/// multiple of the alignment.
struct BlockHeaderWalk: ~Copyable {
  private let file: any VolumeFile
  private let volume: UniqueIdentifier
  private let name: String
  private let end: UInt64
  private var offset = UInt64(VolumeLabel.paddedByteCount)
  private let buffer = UnsafeMutableRawBufferPointer.allocate(
    byteCount: BlockHeader.byteCount, alignment: BlockHeader.alignment)

  /// Walks from behind the label to before `end`.
  init(file: any VolumeFile, volume: UniqueIdentifier, name: String, to end: UInt64) {
    self.file = file
    self.volume = volume
    self.name = name
    self.end = end
  }

  deinit { buffer.deallocate() }

  /// The next header of the volume's and where it is; nil at the end.
  ///
  /// - Throws: `.io`.
  mutating func next() throws(DeviceError) -> (header: BlockHeader, offset: UInt64)? {
    while offset < end {
      let here = offset
      let count: Int
      do throws(StoreError) { count = try file.readAll(into: buffer, at: here) } catch {
        throw DeviceError(error, volume: name)
      }
      guard let header = try? BlockHeader(decoding: UnsafeRawBufferPointer(rebasing: buffer[..<count])),
        header.volume == volume
      else {
        offset += UInt64(BlockHeader.alignment)
        continue
      }
      offset += UInt64(header.paddedByteCount)
      return (header, here)
    }
    return nil
  }
}
