import CZstd

/// Makes Zstandard frames; one for each thread, so that no frame costs an allocation.
///
/// A frame says how long its content is, has no checksum of its own and needs no dictionary.
package struct ZstdCompressor: ~Copyable {
  private let context: OpaquePointer

  /// - Parameter level: from the fastest, 1, to the one that gives the shortest frames, 19.
  package init(level: Int) throws(CompressionError) {
    guard let context = ZSTD_createCCtx() else { throw CompressionError(call: "ZSTD_createCCtx") }
    self.context = context
    // The library brings a level that it does not have into its bounds.
    _ = ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, Int32(clamping: level))
  }

  deinit { ZSTD_freeCCtx(context) }

  /// Compresses into `output`, as one frame.
  ///
  /// - Returns: the frame's length; nil when `output` has no room for it, or the library no memory.
  package func compress(_ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) -> Int? {
    let written = ZSTD_compress2(context, output.baseAddress, output.count, input.baseAddress, input.count)
    return ZSTD_isError(written) == 0 ? written : nil
  }
}

/// Reads Zstandard frames; one for each thread, so that no frame costs an allocation.
package struct ZstdDecompressor: ~Copyable {
  /// A frame's window at most: a reader that has the content nowhere whole needs no more memory than that.
  package static let windowLimit: UInt64 = 1 << 20

  private let context: OpaquePointer

  package init() throws(CompressionError) {
    guard let context = ZSTD_createDCtx() else { throw CompressionError(call: "ZSTD_createDCtx") }
    self.context = context
  }

  deinit { ZSTD_freeDCtx(context) }

  /// Restores exactly `output.count` bytes from a single frame.
  ///
  /// - Returns: false when the input is malformed or is not one whole frame that says this length, without a dictionary and
  ///   with a window of at most `windowLimit`; nothing outside `output` is written.
  package func decompress(_ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) -> Bool {
    guard let header = ZstdFrameHeader(input), !header.hasDictionary, header.windowByteCount <= Self.windowLimit,
      header.contentByteCount == UInt64(output.count),
      // The library would take further frames behind the first, and ones that hold nothing.
      ZSTD_findFrameCompressedSize(input.baseAddress, input.count) == input.count
    else { return false }
    return ZSTD_decompressDCtx(context, output.baseAddress, output.count, input.baseAddress, input.count)
      == output.count
  }
}
