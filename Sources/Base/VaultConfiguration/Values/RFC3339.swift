import VaultModel

/// Times as RFC 3339 writes them: `2026-01-31T12:00:00.5+01:00`.
package enum RFC3339 {
  /// A time and how exactly it was given.
  package struct Parsed: Hashable, Sendable {
    package let instant: Timestamp
    /// The length of the smallest unit written, in nanoseconds: a second, or a fraction of one.
    package let unitNanoseconds: Int64
  }

  /// A time in UTC with a `Z`, with so many digits behind the second.
  ///
  /// Years outside 0 to 9999, which only damaged data has, get as many digits and the sign that they need.
  package static func render(seconds: Int64, nanoseconds: UInt32, fractionDigits: Int) -> String {
    let time = CalendarTime(secondsSinceEpoch: seconds)
    var text = "\(padded(time.date.year, 4))-\(padded(time.date.month, 2))-\(padded(time.date.day, 2))"
    text += "T\(padded(time.hour, 2)):\(padded(time.minute, 2)):\(padded(time.second, 2))"
    if fractionDigits > 0 { text += "." + padded(Int64(nanoseconds), 9).prefix(fractionDigits) }
    return text + "Z"
  }

  package static func render(_ instant: Timestamp, fractionDigits: Int = 9) -> String {
    let nanoseconds = instant.nanoseconds % 1_000_000_000
    let seconds = instant.nanoseconds / 1_000_000_000 - (nanoseconds < 0 ? 1 : 0)
    let rest = UInt32(nanoseconds < 0 ? nanoseconds + 1_000_000_000 : nanoseconds)
    return render(seconds: seconds, nanoseconds: rest, fractionDigits: fractionDigits)
  }

  /// Reads a time with its offset from UTC; nil for anything else, and for years that a `Timestamp` does not reach.
  package static func parse(_ text: String) -> Parsed? {
    var cursor = DigitCursor(text)
    guard let date = cursor.date(), cursor.take("T") || cursor.take("t") || cursor.take(" "),
      let hour = cursor.number(2), cursor.take(":"), let minute = cursor.number(2), cursor.take(":"),
      let second = cursor.number(2), let fraction = cursor.fraction(), let offset = cursor.offset(), cursor.isAtEnd
    else { return nil }
    // A leap second is told as the last moment of the second before it: clocks here do not count it.
    let isLeap = second == 60
    guard let time = CalendarTime(date: date, hour: hour, minute: minute, second: isLeap ? 59 : second) else {
      return nil
    }
    let nanoseconds = isLeap ? 999_999_999 : fraction.nanoseconds
    guard let instant = Timestamp(seconds: time.secondsSinceEpoch - offset, nanoseconds: nanoseconds) else {
      return nil
    }
    return Parsed(instant: instant, unitNanoseconds: isLeap ? 1 : fraction.unit)
  }

  private static func padded(_ value: Int64, _ width: Int) -> String {
    let digits = String(value.magnitude)
    return (value < 0 ? "-" : "") + String(repeating: "0", count: max(0, width - digits.count)) + digits
  }
}

extension Timestamp {
  /// An instant from seconds and nanoseconds after them; nil outside the years 1678 to 2261.
  package init?(seconds: Int64, nanoseconds: Int64) {
    let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    let (sum, carried) = product.addingReportingOverflow(nanoseconds)
    guard !overflow, !carried else { return nil }
    self.init(nanoseconds: sum)
  }
}
