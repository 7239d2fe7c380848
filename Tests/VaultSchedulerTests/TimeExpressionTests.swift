import Testing
import VaultConfiguration
import VaultModel
import VaultScheduler

@Suite struct TimeExpressionTests {
  private static func utc(_ text: String) -> Int64? { RFC3339.parse(text)?.instant.nanoseconds }

  /// Central Europe in 2026: summer time from 29 March 01:00 UTC to 25 October 01:00 UTC.
  private static let berlin = zone(
    winter: 3_600, summer: 7_200, from: "2026-03-29T01:00:00Z", to: "2026-10-25T01:00:00Z")
  /// Summer time begins at midnight, so that day has no 00:30; it ends at midnight, so the hour before comes twice.
  private static let midnight = zone(
    winter: -14_400, summer: -10_800, from: "2026-03-29T04:00:00Z", to: "2026-10-25T03:00:00Z")
  /// The 30th of December 2011 did not exist.
  private static let samoa = zone(
    winter: -36_000, summer: 50_400, from: "2011-12-30T10:00:00Z", to: "2100-01-01T00:00:00Z")

  private static func zone(winter: Int64, summer: Int64, from: String, to: String) -> LocalTimeZone {
    let begin = (utc(from) ?? 0) / 1_000_000_000
    let end = (utc(to) ?? 0) / 1_000_000_000
    return LocalTimeZone { (begin..<end).contains($0) ? summer : winter }
  }

  private static func resolve(_ text: String, _ zone: LocalTimeZone, now: String = "2026-08-01T12:00:00Z") throws
    -> String
  {
    let instant = try TimeExpression(reading: text).resolve(now: Timestamp(nanoseconds: utc(now) ?? 0), zone: zone)
    return RFC3339.render(instant)
  }

  @Test(arguments: [
    ("2026-01-05", "2026-01-05T22:59:59.999999999Z"), ("2026-07-05", "2026-07-05T21:59:59.999999999Z"),
    ("2026-07-05 10:30", "2026-07-05T08:30:59.999999999Z"), ("2026-07-05T10:30", "2026-07-05T08:30:59.999999999Z"),
    ("2026-07-05 10:30:15", "2026-07-05T08:30:15.999999999Z"),
    // A leap day, and the day on which the clock jumps.
    ("2024-02-29", "2024-02-29T22:59:59.999999999Z"), ("2026-03-29", "2026-03-29T21:59:59.999999999Z"),
    // Skipped: 02:30 in March. Twice: 02:30 in October.
    ("2026-03-29 02:30", "2026-03-29T00:59:59.999999999Z"), ("2026-10-25 02:30", "2026-10-25T01:30:59.999999999Z"),
    ("2026-03-29 01:59", "2026-03-29T00:59:59.999999999Z"), ("2026-03-29 03:00:00", "2026-03-29T01:00:00.999999999Z"),
    ("2026-10-25 03:00:00", "2026-10-25T02:00:00.999999999Z"),
    ("2026-10-25 01:59:59", "2026-10-24T23:59:59.999999999Z"),
  ])
  func readsLocalTimes(text: String, expected: String) throws {
    #expect(try Self.resolve(text, Self.berlin) == expected)
  }

  @Test func jumpsAtMidnight() throws {
    #expect(try Self.resolve("2026-03-28", Self.midnight) == "2026-03-29T03:59:59.999999999Z")
    #expect(try Self.resolve("2026-03-29 00:30", Self.midnight) == "2026-03-29T03:59:59.999999999Z")
    #expect(try Self.resolve("2026-10-24", Self.midnight) == "2026-10-25T03:59:59.999999999Z")
    #expect(try Self.resolve("2011-12-30", Self.samoa) == "2011-12-30T09:59:59.999999999Z")
    #expect(try Self.resolve("2011-12-31", Self.samoa) == "2011-12-31T09:59:59.999999999Z")
  }

  @Test(arguments: [
    ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00.999999999Z"),
    ("2026-01-31T12:00:00.25+01:00", "2026-01-31T11:00:00.259999999Z"),
    ("2026-01-31T12:00:00.123456789Z", "2026-01-31T12:00:00.123456789Z"),
    ("3d", "2026-07-29T12:00:00.000000000Z"), ("12h", "2026-08-01T00:00:00.000000000Z"),
    ("2 weeks", "2026-07-18T12:00:00.000000000Z"), ("2 weeks ago", "2026-07-18T12:00:00.000000000Z"),
    ("1 day 12 hours", "2026-07-31T00:00:00.000000000Z"), ("0s", "2026-08-01T12:00:00.000000000Z"),
  ])
  func doesNotAskTheZone(text: String, expected: String) throws {
    let unused = LocalTimeZone { _ in
      Issue.record("the zone was asked")
      return 0
    }
    #expect(try Self.resolve(text, unused) == expected)
  }

  @Test func agoFollowsTheClockThatIsGiven() throws {
    // The clock was set back: what was now yesterday lies in the future, and a duration still counts from today's now.
    #expect(try Self.resolve("1h", .utc, now: "2020-01-01T00:30:00Z") == "2019-12-31T23:30:00.000000000Z")
  }

  @Test(arguments: [
    "", "yesterday", "2026", "2026-1-5", "2026-02-30", "2026-02-29", "2026-01-05 25:00", "2026-01-05 10:60",
    "2026-01-05 10",
    "2026-01-05 10:30:60", "2026-01-05  10:30", "2026-01-05x", "3", "3 m", "-3d", "ago", " ago", "1600-01-01T00:00:00Z",
  ])
  func refuses(text: String) {
    let error = #expect(throws: TimeExpressionError.self) { try TimeExpression(reading: text) }
    #expect(error?.kind == .notATime && error?.exitStatus == .usage)
    #expect(error?.description.hasPrefix("\"\(text)\" is not a time: expected") == true)
  }

  @Test(arguments: ["1000-01-01", "9999-12-31", "500 years", "9999999999 days"])
  func refusesTimesOutOfRange(text: String) {
    let error = #expect(throws: TimeExpressionError.self) { try Self.resolve(text, Self.berlin) }
    #expect(error?.kind == .outOfRange)
  }
}
