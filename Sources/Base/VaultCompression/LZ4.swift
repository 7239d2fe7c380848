import CLZ4

/// Raw LZ4 blocks, as liblz4 makes and reads them.
package enum LZ4 {
  /// The room that compressing `byteCount` bytes can need; at most 2^31 − 1 bytes are compressed at once.
  package static func bound(_ byteCount: Int) -> Int {
    guard let length = Int32(exactly: byteCount) else { return 0 }
    return Int(LZ4_compressBound(length))
  }

  /// Compresses into `output`.
  ///
  /// - Returns: the compressed length; nil when `output` has no room for it.
  package static func compress(_ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) -> Int? {
    guard let source = input.baseAddress, let target = output.baseAddress, let length = Int32(exactly: input.count),
      let room = Int32(exactly: output.count)
    else { return nil }
    let written = LZ4_compress_default(
      source.assumingMemoryBound(to: CChar.self), target.assumingMemoryBound(to: CChar.self), length, room)
    return written > 0 ? Int(written) : nil
  }

  /// Restores exactly `output.count` bytes.
  ///
  /// - Returns: false when the input is malformed or does not give that many bytes; nothing outside `output` is written.
  package static func decompress(_ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) -> Bool {
    guard let source = input.baseAddress, let target = output.baseAddress, let length = Int32(exactly: input.count),
      let room = Int32(exactly: output.count)
    else { return output.isEmpty && input.isEmpty }
    let written = LZ4_decompress_safe(
      source.assumingMemoryBound(to: CChar.self), target.assumingMemoryBound(to: CChar.self), length, room)
    return written == room
  }
}
