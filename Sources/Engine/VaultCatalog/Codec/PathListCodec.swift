import VaultModel

/// What a job's `paths` column holds: each path as its length in LEB128 and its bytes.
enum PathListCodec {
  static func append(_ paths: [ByteString], to buffer: inout ScratchBuffer) {
    for path in paths {
      buffer.append(variable: UInt64(path.count))
      path.bytes.withUnsafeBytes { buffer.append($0) }
    }
  }

  /// Reads a blob; nil when a length leads past its end.
  static func decode(_ blob: UnsafeRawBufferPointer) -> [ByteString]? {
    var reader = ByteReader(blob)
    var paths: [ByteString] = []
    while !reader.isAtEnd {
      guard let length = reader.variable(), let bytes = reader.take(length) else { return nil }
      paths.append(ByteString(bytes))
    }
    return paths
  }
}
