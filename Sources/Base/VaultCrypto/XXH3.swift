import CXXHash

/// An XXH3-128 checksum, 16 bytes in the library's canonical (big-endian) form.
package struct Checksum128: Hashable, Sendable {
  package let high: UInt64
  package let low: UInt64

  package init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// Sixteen zero bytes: what a rolling digest begins with.
  package static let zero = Checksum128(high: 0, low: 0)
}

/// The XXH3 checksums that find damage in blocks and groups; they protect against faults, not against an enemy.
package enum XXH3 {
  /// XXH3-64 of the bytes.
  package static func checksum64(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    XXH3_64bits(bytes.baseAddress, bytes.count)
  }

  /// XXH3-128 of the bytes.
  package static func checksum128(_ bytes: UnsafeRawBufferPointer) -> Checksum128 {
    let hash = XXH3_128bits(bytes.baseAddress, bytes.count)
    return Checksum128(high: hash.high64, low: hash.low64)
  }
}
