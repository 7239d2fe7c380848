/// Numbers for people.
package enum Figures {
  /// `79,013`
  package static func count(_ value: UInt64) -> String {
    var groups: [String] = []
    var rest = value
    while rest >= 1_000 {
      let group = String(rest % 1_000)
      groups.append(String(repeating: "0", count: 3 - group.count) + group)
      rest /= 1_000
    }
    groups.append(String(rest))
    return groups.reversed().joined(separator: ",")
  }

  /// `1 file`, `2 files`
  package static func count(_ value: UInt64, _ one: String, _ many: String) -> String {
    "\(count(value)) \(value == 1 ? one : many)"
  }

  /// `512 B`, `1.2 MB`: powers of 1000, rounded to a tenth.
  package static func bytes(_ value: UInt64) -> String {
    let units = ["kB", "MB", "GB", "TB", "PB", "EB"]
    guard value >= 1_000 else { return "\(value) B" }
    var unit = 0
    var scale: UInt64 = 1_000
    // Beyond 999.95 of a unit the next one is nearer.
    while unit + 1 < units.count, value / scale >= 1_000 || tenths(value, scale) >= 10_000 {
      scale *= 1_000
      unit += 1
    }
    let tenths = tenths(value, scale)
    return "\(tenths / 10).\(tenths % 10) \(units[unit])"
  }

  /// `0.4 s`, `1 min 05 s`, `2 h 03 min`
  package static func duration(milliseconds: UInt64) -> String {
    let tenths = milliseconds / 100 + (milliseconds % 100 >= 50 ? 1 : 0)
    let seconds = tenths / 10
    if seconds < 60 { return "\(seconds).\(tenths % 10) s" }
    if seconds < 3_600 { return "\(seconds / 60) min \(twoDigits(seconds % 60)) s" }
    return "\(seconds / 3_600) h \(twoDigits(seconds / 60 % 60)) min"
  }

  /// How long it still takes, no more exactly than anybody can tell: `25 s`, `3 min`, `2 h 10 min`.
  package static func remaining(seconds: Double) -> String {
    let seconds = UInt64(max(0, min(seconds, 1e9)).rounded(.up))
    if seconds <= 10 { return "\(seconds) s" }
    if seconds <= 55 { return "\((seconds + 4) / 5 * 5) s" }
    let minutes = (seconds + 59) / 60
    if minutes < 60 { return "\(minutes) min" }
    let tens = (minutes + 9) / 10
    return tens % 6 == 0 ? "\(tens / 6) h" : "\(tens / 6) h \(tens % 6)0 min"
  }

  /// `45.1 MB/s`; nil when no time went by.
  package static func rate(_ byteCount: UInt64, milliseconds: UInt64) -> String? {
    milliseconds == 0 ? nil : bytes(perSecond(byteCount, milliseconds: milliseconds)) + "/s"
  }

  package static func perSecond(_ byteCount: UInt64, milliseconds: UInt64) -> UInt64 {
    UInt64(min(Double(byteCount) / Double(max(1, milliseconds)) * 1_000, 1e18))
  }

  /// `3.4 : 1`; nil when the second number is no smaller.
  package static func ratio(_ whole: UInt64, _ part: UInt64) -> String? {
    guard part > 0, whole > part else { return nil }
    let tenths = UInt64(min((Double(whole) / Double(part) * 10).rounded(), 1e18))
    return "\(count(tenths / 10)).\(tenths % 10) : 1"
  }

  private static func tenths(_ value: UInt64, _ scale: UInt64) -> UInt64 {
    value / scale * 10 + (value % scale + scale / 20) / (scale / 10)
  }

  private static func twoDigits(_ value: UInt64) -> String { value < 10 ? "0\(value)" : "\(value)" }
}
