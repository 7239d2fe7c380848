import VaultModel

/// Extended attributes of one entry as bytes: what extended attributes records carry; the byte table is in vault-volume(5).
package enum ExtendedAttributeList {
  /// Bytes before each name.
  package static let overhead = 8
  /// What Linux allows.
  package static let nameLimit = 255
  package static let valueLimit = 64 * 1024

  /// Appends one attribute. Names come in ascending order, so that the same attributes are the same bytes.
  package static func append(name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer, to list: inout ByteWriter) {
    list.integer(UInt32(truncatingIfNeeded: value.count))
    list.integer(UInt16(truncatingIfNeeded: name.count))
    list.integer(0 as UInt16)
    list.append(name)
    list.append(value)
  }

  /// Reads a list, attribute by attribute.
  ///
  /// - Throws: `FormatError` for a list that contradicts itself: names that are empty, hold a NUL or do not ascend.
  package static func read(
    _ list: UnsafeRawBufferPointer, _ body: (_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Void
  ) throws(FormatError) {
    var reader = ByteReader(list, "list of extended attributes")
    var last = UnsafeRawBufferPointer(start: nil, count: 0)
    while !reader.isAtEnd {
      let valueLength: UInt32 = try reader.integer()
      let nameLength: UInt16 = try reader.integer()
      try reader.zeros(2)
      guard nameLength <= nameLimit, valueLength <= valueLimit else { throw reader.error(.outOfBounds) }
      let name = try reader.take(Int(nameLength))
      guard !name.contains(0), compareBytes(last, name) < 0 else { throw reader.error(.malformed) }
      body(name, try reader.take(Int(valueLength)))
      last = name
    }
  }
}
