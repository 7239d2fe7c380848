import VaultModel

/// Reads little-endian fields from foreign bytes; every step is bounds-checked.
package struct ByteReader {
  private let bytes: UnsafeRawBufferPointer
  package private(set) var offset = 0
  /// What is being read, for the error.
  private let object: StaticString

  /// Reads from `bytes`, which outlive the reader.
  package init(_ bytes: UnsafeRawBufferPointer, _ object: StaticString) {
    self.bytes = bytes
    self.object = object
  }

  package var remaining: Int { bytes.count - offset }
  package var isAtEnd: Bool { offset == bytes.count }

  /// The error of `kind` for what is being read.
  package func error(_ kind: FormatError.Kind) -> FormatError { FormatError(kind, object.description) }

  @inline(__always)
  package mutating func integer<Integer: FixedWidthInteger>(_: Integer.Type = Integer.self) throws(FormatError)
    -> Integer
  {
    guard remaining >= MemoryLayout<Integer>.size else { throw error(.truncated) }
    let value = bytes.loadUnaligned(fromByteOffset: offset, as: Integer.self)
    offset += MemoryLayout<Integer>.size
    return Integer(littleEndian: value)
  }

  /// A number that counts or indexes something: at most 2^63 − 1, so that databases and sums hold it.
  @inline(__always)
  package mutating func index() throws(FormatError) -> UInt64 {
    let value: UInt64 = try integer()
    guard value <= UInt64(Int64.max) else { throw error(.outOfBounds) }
    return value
  }

  /// The next `count` bytes, lent from the buffer.
  @inline(__always)
  package mutating func take(_ count: Int) throws(FormatError) -> UnsafeRawBufferPointer {
    guard count >= 0, remaining >= count else { throw error(.truncated) }
    let slice = UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count])
    offset += count
    return slice
  }

  /// All bytes that are left.
  package mutating func takeRest() -> UnsafeRawBufferPointer {
    let slice = UnsafeRawBufferPointer(rebasing: bytes[offset...])
    offset = bytes.count
    return slice
  }

  /// Passes over `count` bytes that must be zero.
  package mutating func zeros(_ count: Int) throws(FormatError) {
    let bytes = try take(count)
    guard bytes.allSatisfy({ $0 == 0 }) else { throw error(.malformed) }
  }

  package mutating func identifier() throws(FormatError) -> UniqueIdentifier {
    let high: UInt64 = try integer()
    let low: UInt64 = try integer()
    return UniqueIdentifier(high: high.byteSwapped, low: low.byteSwapped)
  }

  package mutating func digest() throws(FormatError) -> Digest256 {
    guard let digest = Digest256(bytes: try take(32)) else { throw error(.truncated) }
    return digest
  }
}
