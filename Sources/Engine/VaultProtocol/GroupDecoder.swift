import VaultCompression
import VaultModel

/// Gives back the records of groups, however they are compressed; one for each thread.
///
/// What a group unpacks to lies in the decoder's own memory, which all its groups share, or in its user's.
package struct GroupDecoder: ~Copyable {
  private let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: GroupLimits.rawLimit, alignment: 4096)
  private let zstd: ZstdDecompressor

  package init() throws(CompressionError) {
    do throws(CompressionError) {
      zstd = try ZstdDecompressor()
    } catch {
      memory.deallocate()
      throw error
    }
  }

  deinit { memory.deallocate() }

  /// Checks a group's stored bytes and lends its raw records, until the next group is read.
  ///
  /// - Bounds: exactly the raw length that the header says, at most `GroupLimits.rawLimit`.
  /// - Throws: `.checksumMismatch`; `.malformed` for what cannot be decompressed to that length.
  package func records(of group: GroupView) throws(FormatError) -> UnsafeRawBufferPointer {
    try records(of: group, into: memory)
  }

  /// Checks a group's stored bytes and unpacks its records into the caller's memory; what is not compressed stays in the group.
  ///
  /// - Bounds: exactly the raw length that the header says; `memory` has `GroupLimits.rawLimit` bytes, if it is compressed.
  /// - Returns: the records, valid as long as `memory` and the group's bytes.
  /// - Throws: `.checksumMismatch`; `.malformed` for what cannot be decompressed to that length.
  package func records(
    of group: GroupView, into memory: UnsafeMutableRawBufferPointer
  ) throws(FormatError) -> UnsafeRawBufferPointer {
    try group.verify()
    let raw = UnsafeMutableRawBufferPointer(rebasing: memory.prefix(Int(group.header.rawLength)))
    let isRestored: Bool
    switch group.header.codec {
    case .none: return group.stored
    case .lz4: isRestored = LZ4.decompress(group.stored, into: raw)
    case .zstd: isRestored = zstd.decompress(group.stored, into: raw)
    }
    guard isRestored else { throw FormatError(.malformed, "record group") }
    return UnsafeRawBufferPointer(raw)
  }
}
