/// Durations as people write them: `30 days`, `3d`, `1 hour 30 min`.
///
/// Units may be cut short as long as they stay clear: `m` alone could be minutes or months and is refused, except right
/// behind hours, as in `1h 30m`. A month has 30 days, a quarter 91 and a year 365, as in Bacula.
package enum DurationText {
  package enum BareUnit: Sendable {
    /// A number alone counts seconds.
    case second
    /// A number alone is no duration.
    case none
  }

  private static let units: [(name: String, seconds: UInt64)] = [
    ("seconds", 1), ("secs", 1), ("minutes", 60), ("mins", 60), ("hours", 3_600), ("hrs", 3_600), ("days", 86_400),
    ("weeks", 604_800), ("months", 2_592_000), ("quarters", 7_862_400), ("years", 31_536_000),
  ]

  /// Seconds; nil when the text is no duration or too long.
  package static func parse(_ text: String, bareUnit: BareUnit) -> UInt64? {
    var rest = Substring(text).utf8
    var total: UInt64 = 0
    var lastFactor: UInt64 = 0
    repeat {
      guard let quantity = Quantity.take(from: &rest) else { return nil }
      let isAlone = quantity.unit.isEmpty && total == 0 && rest.isEmpty && bareUnit == .second
      let isMinutes = quantity.unit == "m" && lastFactor == 3_600
      guard let factor = isAlone ? 1 : isMinutes ? 60 : seconds(in: quantity.unit), let part = quantity.times(factor)
      else { return nil }
      let (sum, overflow) = total.addingReportingOverflow(part)
      guard !overflow else { return nil }
      total = sum
      lastFactor = factor
    } while !rest.isEmpty
    return total
  }

  private static func seconds(in unit: String) -> UInt64? {
    guard !unit.isEmpty else { return nil }
    let factors = Set(units.filter { $0.name.hasPrefix(unit) }.map(\.seconds))
    return factors.count == 1 ? factors.first : nil
  }
}
