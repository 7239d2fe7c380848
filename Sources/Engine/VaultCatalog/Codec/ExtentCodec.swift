import VaultModel

/// What the `extents` column holds: a content's pieces.
///
/// - Layout: 40 bytes a piece: session UUID, then little-endian group u64, raw offset u32, length u32, file offset u64.
enum ExtentCodec {
  static let extentByteCount = 40

  static func append(_ extents: [Extent], to buffer: inout ScratchBuffer) {
    for extent in extents {
      extent.session.withBytes { buffer.append($0) }
      buffer.append(littleEndian: extent.group)
      buffer.append(littleEndian: extent.rawOffset)
      buffer.append(littleEndian: extent.length)
      buffer.append(littleEndian: extent.fileOffset)
    }
  }

  /// Reads a blob; nil when its length is no multiple of a piece's.
  static func decode(_ blob: UnsafeRawBufferPointer) -> [Extent]? {
    guard blob.count % extentByteCount == 0 else { return nil }
    var reader = ByteReader(blob)
    var extents: [Extent] = []
    extents.reserveCapacity(blob.count / extentByteCount)
    while !reader.isAtEnd {
      guard let bytes = reader.take(16), let session = UniqueIdentifier(bytes: bytes),
        let group = reader.littleEndian(UInt64.self), let rawOffset = reader.littleEndian(UInt32.self),
        let length = reader.littleEndian(UInt32.self), let fileOffset = reader.littleEndian(UInt64.self)
      else { return nil }
      extents.append(
        Extent(session: session, group: group, rawOffset: rawOffset, length: length, fileOffset: fileOffset))
    }
    return extents
  }
}
