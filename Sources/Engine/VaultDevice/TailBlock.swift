import VaultModel
import VaultProtocol

/// The last block before a volume's end.
struct TailBlock {
  let header: BlockHeader
  let address: BlockAddress
  /// The block's payload.
  let payload: [UInt8]

  /// Finds the block that ends at `end`, which cannot be more than one Maximum Block Size before it.
  ///
  /// - Throws: `.damagedBlock` when there is none that verifies, `.volumeTruncated`, `.io`.
  static func find(
    _ file: any VolumeFile, label: VolumeLabel, name: String, end: UInt64
  ) throws(DeviceError) -> TailBlock {
    let unit = UInt64(BlockHeader.alignment)
    let start = end - min(end, UInt64(label.record.maximumBlockSize))
    let count = Int(end - start)
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: max(count, 8), alignment: BlockHeader.alignment)
    defer { memory.deallocate() }
    let window = UnsafeMutableRawBufferPointer(rebasing: memory[..<count])
    let found: Int
    do throws(StoreError) { found = try file.readAll(into: window, at: start) } catch {
      throw DeviceError(error, volume: name)
    }
    guard found == count else {
      throw DeviceError(.volumeTruncated(expected: end, found: start + UInt64(found)), volume: name)
    }
    // The longest candidate first: what a block holds may itself look like a block, if somebody saves a volume.
    for offset in stride(from: 0, to: count, by: BlockHeader.alignment) {
      let candidate = UnsafeMutableRawBufferPointer(rebasing: window[offset...])
      guard let header = try? BlockHeader(decoding: UnsafeRawBufferPointer(candidate)),
        header.volume == label.identifier, header.paddedByteCount == count - offset
      else { continue }
      let block = UnsafeMutableRawBufferPointer(rebasing: candidate[..<Int(header.length)])
      guard BlockHeader.isIntact(block) else { continue }
      return TailBlock(
        header: header, address: BlockAddress(byteOffset: start + UInt64(offset)),
        payload: Array(block[BlockHeader.byteCount...]))
    }
    throw DeviceError(.damagedBlock(.noHeader, BlockAddress(byteOffset: end - min(end, unit))), volume: name)
  }
}
