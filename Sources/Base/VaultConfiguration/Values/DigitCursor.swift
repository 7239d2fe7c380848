/// Reads fixed-width numbers and the marks between them from the front of a text.
package struct DigitCursor {
  private var rest: Substring.UTF8View

  package init(_ text: String) { rest = Substring(text).utf8 }

  package var isAtEnd: Bool { rest.isEmpty }

  /// Takes one mark; false, and nothing is taken, when another comes first.
  package mutating func take(_ mark: Unicode.Scalar) -> Bool {
    guard rest.first.map({ UInt32($0) }) == mark.value else { return false }
    rest.removeFirst()
    return true
  }

  /// Takes exactly so many digits.
  package mutating func number(_ digitCount: Int) -> Int64? {
    var value: Int64 = 0
    for _ in 0..<digitCount {
      guard let byte = rest.first, (0x30...0x39).contains(byte) else { return nil }
      value = value * 10 + Int64(byte - 0x30)
      rest.removeFirst()
    }
    return value
  }

  /// Takes `YYYY-MM-DD`, a date that exists.
  package mutating func date() -> CalendarDate? {
    guard let year = number(4), take("-"), let month = number(2), take("-"), let day = number(2) else { return nil }
    return CalendarDate(year: year, month: month, day: day)
  }

  /// Takes a point and one to nine digits, or nothing.
  package mutating func fraction() -> (nanoseconds: Int64, unit: Int64)? {
    guard take(".") else { return (0, 1_000_000_000) }
    var nanoseconds: Int64 = 0
    var unit: Int64 = 1_000_000_000
    while unit > 1, let digit = number(1) {
      unit /= 10
      nanoseconds += digit * unit
    }
    return unit == 1_000_000_000 ? nil : (nanoseconds, unit)
  }

  /// Takes `Z` or `+HH:MM` as seconds east of Greenwich.
  package mutating func offset() -> Int64? {
    if take("Z") || take("z") { return 0 }
    let isEast = take("+")
    guard isEast || take("-"), let hours = number(2), take(":"), let minutes = number(2), hours <= 23, minutes <= 59
    else {
      return nil
    }
    return (isEast ? 1 : -1) * (hours * 3_600 + minutes * 60)
  }
}
