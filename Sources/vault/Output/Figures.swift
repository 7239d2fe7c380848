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

  private static func tenths(_ value: UInt64, _ scale: UInt64) -> UInt64 {
    value / scale * 10 + (value % scale + scale / 20) / (scale / 10)
  }

  private static func twoDigits(_ value: UInt64) -> String { value < 10 ? "0\(value)" : "\(value)" }
}
