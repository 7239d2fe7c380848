import VaultModel

extension UniqueIdentifier {
  /// The UUID of 16 bytes in network order; nil for any other length.
  init?(bytes: UnsafeRawBufferPointer) {
    guard bytes.count == 16 else { return nil }
    self.init(
      high: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self)),
      low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
  }

  /// The 16 bytes in network order, lent to `body`.
  func withBytes<Result, Failure: Error>(
    _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let words = (high.bigEndian, low.bigEndian)
    return try withUnsafeBytes(of: words) { (bytes: UnsafeRawBufferPointer) throws(Failure) -> Result in
      try body(bytes)
    }
  }
}
