import VaultModel

/// A list of paths as a frame's payload: for each a length u32 and its bytes.
package enum PathList {
  /// - Bounds: the caller checks that the payload fits a frame.
  package static func encode(_ paths: [ByteString]) -> [UInt8] {
    var writer = ByteWriter()
    for path in paths {
      writer.integer(UInt32(truncatingIfNeeded: path.count))
      writer.append(path)
    }
    return writer.array
  }

  package static func decode(_ payload: UnsafeRawBufferPointer) throws(FormatError) -> [ByteString] {
    var reader = ByteReader(payload, "path list")
    var paths: [ByteString] = []
    while !reader.isAtEnd {
      let length: UInt32 = try reader.integer()
      paths.append(ByteString(try reader.take(Int(length))))
    }
    return paths
  }
}
