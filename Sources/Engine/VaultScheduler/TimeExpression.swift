import VaultConfiguration
import VaultModel

/// A point in the past as a person names it: the TIME of `--at`.
///
/// - `2026-01-31T12:00:00Z`: RFC 3339, with an offset.
/// - `2026-01-31`, `2026-01-31 12:00`, `2026-01-31 12:00:30`: local time; a `T` may stand for the space.
/// - `3d`, `12 hours`, `2 weeks ago`: so long before now; a month has 30 days and a year 365.
///
/// A time means the whole of the smallest unit it names, and so its last nanosecond: as at `2026-01-05` is as at the
/// end of that day, as at `10:30` takes in the job that a listing shows as ended at 10:30. A time that the local
/// clock shows twice is the second one; one that it skips is the moment of the jump.
package enum TimeExpression: Hashable, Sendable {
  /// A length of time before now, in seconds.
  case ago(UInt64)
  case instant(Timestamp)
  /// The last second of what a local clock shows.
  case local(CalendarTime)

  package init(reading text: String) throws(TimeExpressionError) {
    if let parsed = RFC3339.parse(text) {
      // The last nanosecond of the unit; beyond the last instant there is, the instant itself.
      let (last, overflow) = parsed.instant.nanoseconds.addingReportingOverflow(parsed.unitNanoseconds - 1)
      self = .instant(overflow ? parsed.instant : Timestamp(nanoseconds: last))
    } else if let time = Self.localTime(text) {
      self = .local(time)
    } else if let seconds = Self.duration(text) {
      self = .ago(seconds)
    } else {
      throw TimeExpressionError(kind: .notATime, text: text)
    }
  }

  /// The instant that is meant, when it is `now` and in that place.
  package func resolve(now: Timestamp, zone: LocalTimeZone) throws(TimeExpressionError) -> Timestamp {
    switch self {
    case .instant(let instant): return instant
    case .ago(let seconds):
      let (length, tooLong) = Int64(clamping: seconds).multipliedReportingOverflow(by: 1_000_000_000)
      let (instant, overflow) = now.nanoseconds.subtractingReportingOverflow(length)
      guard !tooLong, !overflow else { throw TimeExpressionError(kind: .outOfRange, text: "\(seconds) seconds ago") }
      return Timestamp(nanoseconds: instant)
    case .local(let time):
      let seconds = zone.lastInstant(showing: time.secondsSinceEpoch)
      guard let instant = Timestamp(seconds: seconds, nanoseconds: 999_999_999) else {
        throw TimeExpressionError(kind: .outOfRange, text: "the year \(time.date.year)")
      }
      return instant
    }
  }

  private static func localTime(_ text: String) -> CalendarTime? {
    var cursor = DigitCursor(text)
    guard let date = cursor.date() else { return nil }
    if cursor.isAtEnd { return CalendarTime(date: date, hour: 23, minute: 59, second: 59) }
    guard cursor.take(" ") || cursor.take("T"), let hour = cursor.number(2), cursor.take(":"),
      let minute = cursor.number(2)
    else { return nil }
    if cursor.isAtEnd { return CalendarTime(date: date, hour: hour, minute: minute, second: 59) }
    guard cursor.take(":"), let second = cursor.number(2), cursor.isAtEnd else { return nil }
    return CalendarTime(date: date, hour: hour, minute: minute, second: second)
  }

  private static func duration(_ text: String) -> UInt64? {
    let length = text.hasSuffix(" ago") ? String(text.dropLast(4)) : text
    return DurationText.parse(length, bareUnit: .none)
  }
}

/// A text that names no point in time.
package struct TimeExpressionError: DescribedError, Hashable {
  package enum Kind: Hashable, Sendable {
    case notATime
    /// Before or after all instants that can be told: the years 1678 to 2261.
    case outOfRange
  }

  package let kind: Kind
  package let text: String

  package var exitStatus: ExitStatus { .usage }

  package var description: String {
    let shown = ByteString(text).displayText
    switch kind {
    case .notATime:
      return
        "\"\(shown)\" is not a time: expected a date such as 2026-01-31, a date and a time such as "
        + "\"2026-01-31 14:30\" or 2026-01-31T14:30:00Z, or how long ago such as 3d or \"2 weeks\"."
    case .outOfRange: return "\(shown) is too far away: expected a time between the years 1678 and 2261."
    }
  }
}
