/// Sizes as people write them.
///
/// `K`, `M`, `G`, `T`, `P` and `KiB`, `MiB` … count in powers of 1024, `KB`, `MB` … in powers of 1000, as in
/// Bacula; a number alone, `B` and `bytes` are bytes. Case does not count; a fraction is rounded down to whole bytes.
package enum SizeText {
  private static let binaryUnits: [(name: String, factor: UInt64)] = [
    ("PiB", 1 << 50), ("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10),
  ]
  private static let decimalUnits: [(name: String, factor: UInt64)] = [
    ("pb", 1_000_000_000_000_000), ("tb", 1_000_000_000_000), ("gb", 1_000_000_000), ("mb", 1_000_000), ("kb", 1_000),
  ]

  /// Bytes; nil when the text is no size or too large.
  package static func parse(_ text: String) -> UInt64? {
    var rest = Substring(text).utf8
    guard let quantity = Quantity.take(from: &rest), rest.isEmpty, let factor = factor(of: quantity.unit) else {
      return nil
    }
    return quantity.times(factor)
  }

  /// The size in the largest unit that divides it, in a form that `parse` reads back.
  package static func render(_ bytes: UInt64) -> String {
    for unit in binaryUnits where bytes > 0 && bytes % unit.factor == 0 { return "\(bytes / unit.factor) \(unit.name)" }
    return "\(bytes)"
  }

  private static func factor(of unit: String) -> UInt64? {
    if ["", "b", "byte", "bytes"].contains(unit) { return 1 }
    if let decimal = decimalUnits.first(where: { $0.name == unit }) { return decimal.factor }
    return binaryUnits.first { $0.name.lowercased() == unit || String($0.name.lowercased().prefix(1)) == unit }?.factor
  }
}
