/// A date of the Gregorian calendar, extended to all years.
package struct CalendarDate: Hashable, Sendable {
  package let year: Int64
  /// 1 to 12.
  package let month: Int64
  /// 1 to 31.
  package let day: Int64

  /// A date that exists; nil for others. Years go from 0 to 9999.
  package init?(year: Int64, month: Int64, day: Int64) {
    guard (0...9999).contains(year), (1...12).contains(month), day >= 1, day <= Self.dayCount(year, month) else {
      return nil
    }
    self.year = year
    self.month = month
    self.day = day
  }

  /// The date so many days after 1970-01-01.
  ///
  /// - Bounds: days of any `Int64` count of seconds.
  /// - Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms"; an era is 400 years, years begin in
  ///   March.
  package init(daysSinceEpoch days: Int64) {
    let shifted = days + 719_468
    let era = floorDivide(shifted, 146_097)
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let marchMonth = (5 * dayOfYear + 2) / 153
    day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
    month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
    year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  }

  /// Days after 1970-01-01, negative before.
  package var daysSinceEpoch: Int64 {
    let marchYear = month <= 2 ? year - 1 : year
    let era = floorDivide(marchYear, 400)
    let yearOfEra = marchYear - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
  }

  private static func dayCount(_ year: Int64, _ month: Int64) -> Int64 {
    let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    return month == 2 ? (isLeap ? 29 : 28) : [4, 6, 9, 11].contains(month) ? 30 : 31
  }
}

/// A date and a time of day, without a place: what a clock on some wall shows.
package struct CalendarTime: Hashable, Sendable {
  package let date: CalendarDate
  package let hour: Int64
  package let minute: Int64
  package let second: Int64

  /// A time that a clock can show; nil for others.
  package init?(date: CalendarDate, hour: Int64, minute: Int64, second: Int64) {
    guard (0...23).contains(hour), (0...59).contains(minute), (0...59).contains(second) else { return nil }
    self.date = date
    self.hour = hour
    self.minute = minute
    self.second = second
  }

  /// What a clock in Greenwich shows so many seconds after 1970-01-01T00:00:00Z.
  package init(secondsSinceEpoch seconds: Int64) {
    let days = floorDivide(seconds, 86_400)
    let remainder = seconds % 86_400
    let rest = remainder < 0 ? remainder + 86_400 : remainder
    date = CalendarDate(daysSinceEpoch: days)
    hour = rest / 3_600
    minute = rest / 60 % 60
    second = rest % 60
  }

  /// Seconds after 1970-01-01T00:00:00Z when the clock is in Greenwich.
  package var secondsSinceEpoch: Int64 { date.daysSinceEpoch * 86_400 + hour * 3_600 + minute * 60 + second }
}

/// Division that rounds down.
private func floorDivide(_ value: Int64, _ divisor: Int64) -> Int64 {
  let quotient = value / divisor
  return value % divisor < 0 ? quotient - 1 : quotient
}
