extension UInt64 {
  /// The sum, or 2^63 - 1 when it is larger: sparse files may sum up to more than a counter holds.
  package func addingClamped(_ other: UInt64) -> UInt64 {
    let sum = addingReportingOverflow(other)
    return sum.overflow ? UInt64(Int64.max) : Swift.min(sum.partialValue, UInt64(Int64.max))
  }
}
