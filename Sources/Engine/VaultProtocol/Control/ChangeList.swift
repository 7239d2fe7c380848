import VaultModel

/// The payload of a frame of changes: for each its kind u8, the path's length u32 and the path.
package struct ChangeList: ~Copyable {
  private static let kinds: [PlannedChange.Kind] = [.new, .changed, .deleted]

  private var writer = ByteWriter(capacity: 64 * 1024)

  package init() {}

  package var bytes: UnsafeRawBufferPointer { writer.bytes }

  package mutating func append(_ change: PlannedChange) {
    switch change.kind {
    case .new: writer.integer(1 as UInt8)
    case .changed: writer.integer(2 as UInt8)
    case .deleted: writer.integer(3 as UInt8)
    }
    writer.integer(UInt32(truncatingIfNeeded: change.path.count))
    writer.append(change.path)
  }

  package mutating func removeAll() { writer.removeAll() }

  package static func decode(_ payload: UnsafeRawBufferPointer) throws(FormatError) -> [PlannedChange] {
    var reader = ByteReader(payload, "change list")
    var changes: [PlannedChange] = []
    while !reader.isAtEnd {
      let number: UInt8 = try reader.integer()
      guard (1...kinds.count).contains(Int(number)) else { throw FormatError(.malformed, "change list") }
      let length: UInt32 = try reader.integer()
      changes.append(PlannedChange(kinds[Int(number) - 1], ByteString(try reader.take(Int(length)))))
    }
    return changes
  }
}
