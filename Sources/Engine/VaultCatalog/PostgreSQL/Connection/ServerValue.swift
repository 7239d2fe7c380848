/// A statement's parameter, in PostgreSQL's binary form.
enum ServerValue {
  case integer(Int64?)
  case bytes([UInt8]?)
  case text(String?)
  case integers([Int64])

  /// PostgreSQL's numbers of the types.
  enum ObjectIdentifier {
    static let bytes: UInt32 = 17
    static let integer: UInt32 = 20
    static let text: UInt32 = 25
    static let integers: UInt32 = 1016
  }

  var type: UInt32 {
    switch self {
    case .integer: ObjectIdentifier.integer
    case .bytes: ObjectIdentifier.bytes
    case .text: ObjectIdentifier.text
    case .integers: ObjectIdentifier.integers
    }
  }

  /// The value's bytes; nil for null.
  var encoded: [UInt8]? {
    switch self {
    case .integer(let value): value.map { Self.bigEndian($0) }
    case .bytes(let bytes): bytes
    case .text(let text): text.map { Array($0.utf8) }
    case .integers(let values): Self.array(values)
    }
  }

  /// One dimension from 1 on, without nulls.
  private static func array(_ values: [Int64]) -> [UInt8] {
    var bytes = bigEndian(Int32(values.isEmpty ? 0 : 1)) + bigEndian(Int32(0)) + bigEndian(ObjectIdentifier.integer)
    guard !values.isEmpty else { return bytes }
    bytes.reserveCapacity(20 + values.count * 12)
    bytes += bigEndian(Int32(truncatingIfNeeded: values.count)) + bigEndian(Int32(1))
    for value in values { bytes += bigEndian(Int32(8)) + bigEndian(value) }
    return bytes
  }

  private static func bigEndian(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.bigEndian) { Array($0) }
  }
}
