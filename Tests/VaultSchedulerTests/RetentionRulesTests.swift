import Testing
import VaultConfiguration
import VaultModel
import VaultScheduler

@Suite struct RetentionRulesTests {
  private static func instant(_ text: String) throws -> Timestamp {
    try #require(RFC3339.parse(text)?.instant, "\(text) is no time")
  }

  /// Jobs 1, 2, 3 … that ended at these times.
  private static func jobs(_ times: [String]) throws -> [RetentionRules.Candidate] {
    try times.enumerated().map { index, text in
      RetentionRules.Candidate(
        job: JobNumber(index) + 1, sequence: UInt64(index) + 1, ended: try instant(text), isPublished: true)
    }
  }

  private static func kept(
    _ rules: RetentionRules, _ jobs: [RetentionRules.Candidate], zone: LocalTimeZone = .utc
  ) throws -> [JobNumber] {
    let decisions = rules.decide(jobs, now: try instant("2026-04-01T00:00:00Z"), zone: zone)
    return decisions.filter(\.isKept).map(\.job)
  }

  @Test func lastKeepsTheNewestBySequence() throws {
    // The clock went back before job 4.
    let jobs = try Self.jobs([
      "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z", "2020-01-01T00:00:00Z",
    ])
    #expect(try Self.kept(RetentionRules(last: 2), jobs) == [4, 3])
    #expect(try Self.kept(RetentionRules(last: 9), jobs.shuffled()) == [4, 3, 2, 1])
  }

  @Test func everyDecisionSaysWhy() throws {
    let jobs = try Self.jobs(["2026-03-15T10:00:00Z", "2026-03-16T10:00:00Z", "2026-03-16T11:00:00Z"])
    let decisions = RetentionRules(last: 1, daily: 2, weekly: 2, monthly: 1, yearly: 1).decide(
      jobs, now: try Self.instant("2026-04-01T00:00:00Z"), zone: .utc)
    #expect(decisions.map(\.job) == [3, 2, 1])
    #expect(
      decisions[0].reasons == [
        "the newest", "last 1", "daily 2026-03-16", "weekly 2026-W12", "monthly 2026-03", "yearly 2026",
      ])
    #expect(decisions[1].reasons == [])
    #expect(decisions[2].reasons == ["daily 2026-03-15", "weekly 2026-W11"])
  }

  @Test func theNewestJobOfEachOfTheLastDaysThatHaveOne() throws {
    let jobs = try Self.jobs([
      "2026-01-01T01:00:00Z", "2026-01-01T23:59:59Z", "2026-01-05T12:00:00Z", "2026-01-09T12:00:00Z",
      "2026-01-09T12:00:01Z",
    ])
    #expect(try Self.kept(RetentionRules(daily: 3), jobs) == [5, 3, 2])
    #expect(try Self.kept(RetentionRules(daily: 2), jobs) == [5, 3])
  }

  @Test func theNewestPublishedJobAlwaysStays() throws {
    var jobs = try Self.jobs(["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"])
    jobs.append(
      RetentionRules.Candidate(job: 3, sequence: 3, ended: jobs[1].ended, isPublished: false))
    jobs.append(
      RetentionRules.Candidate(
        job: 4, sequence: 4, ended: jobs[1].ended, isPublished: false, protection: "goes on"))
    let rules = RetentionRules(within: 1)
    #expect(try Self.kept(rules, jobs) == [4, 2])
    #expect(RetentionRules().isEmpty && !rules.isEmpty)
  }

  @Test func withinCountsBackFromNow() throws {
    let jobs = try Self.jobs(["2026-03-30T23:59:59Z", "2026-03-31T00:00:00Z", "2026-03-31T12:00:00Z"])
    #expect(try Self.kept(RetentionRules(within: 86_400), jobs) == [3, 2])
    #expect(try Self.kept(RetentionRules(within: .max), jobs) == [3, 2, 1])
  }

  @Test func daysAreThoseOfTheLocalClock() throws {
    // 23:30 and 00:30 in a place one hour east of Greenwich: two days there, one in Greenwich.
    let jobs = try Self.jobs(["2026-01-10T22:30:00Z", "2026-01-10T23:30:00Z"])
    let east = LocalTimeZone { _ in 3_600 }
    #expect(try Self.kept(RetentionRules(daily: 5), jobs, zone: east) == [2, 1])
    #expect(try Self.kept(RetentionRules(daily: 5), jobs) == [2])
    // Before 1970, and a fraction of a second before midnight.
    let old = [
      RetentionRules.Candidate(job: 1, sequence: 1, ended: Timestamp(nanoseconds: -1), isPublished: true),
      RetentionRules.Candidate(job: 2, sequence: 2, ended: Timestamp(nanoseconds: 0), isPublished: true),
    ]
    #expect(try Self.kept(RetentionRules(daily: 5), old) == [2, 1])
  }

  @Test func summerTimeMakesNoDayTwice() throws {
    // Berlin, 2026-03-29: at 01:00Z clocks go from 02:00 to 03:00; and 2026-10-25 has 25 hours.
    let changes: [(Int64, Int64)] = [
      (try Self.instant("2026-03-29T01:00:00Z").nanoseconds / 1_000_000_000, 7_200),
      (try Self.instant("2026-10-25T01:00:00Z").nanoseconds / 1_000_000_000, 3_600),
    ]
    let berlin = LocalTimeZone { seconds in changes.last { $0.0 <= seconds }?.1 ?? 3_600 }
    let spring = try Self.jobs([
      "2026-03-28T22:59:00Z", "2026-03-28T23:01:00Z", "2026-03-29T21:59:00Z", "2026-03-29T22:01:00Z",
    ])
    #expect(try Self.kept(RetentionRules(daily: 9), spring, zone: berlin) == [4, 3, 1])
    let autumn = try Self.jobs([
      "2026-10-24T21:59:00Z", "2026-10-24T22:01:00Z", "2026-10-25T22:59:00Z", "2026-10-25T23:01:00Z",
    ])
    #expect(try Self.kept(RetentionRules(daily: 9), autumn, zone: berlin) == [4, 3, 1])
  }

  @Test func leapDaysAreDaysOfFebruary() throws {
    let jobs = try Self.jobs(["2024-02-28T12:00:00Z", "2024-02-29T12:00:00Z", "2024-03-01T12:00:00Z"])
    #expect(try Self.kept(RetentionRules(monthly: 5), jobs) == [3, 2])
    #expect(try Self.kept(RetentionRules(daily: 5), jobs) == [3, 2, 1])
  }

  @Test(arguments: [
    ("2021-01-03", "2020-W53"), ("2021-01-04", "2021-W01"), ("2024-12-30", "2025-W01"), ("2026-12-31", "2026-W53"),
    ("2027-01-01", "2026-W53"), ("2027-01-04", "2027-W01"), ("2024-02-29", "2024-W09"), ("2000-01-01", "1999-W52"),
    ("1970-01-01", "1970-W01"), ("1969-12-28", "1969-W52"),
  ])
  func weeksAreThoseOfTheStandard(day: String, week: String) throws {
    let decisions = RetentionRules(weekly: 1).decide(
      try Self.jobs(["\(day)T12:00:00Z"]), now: try Self.instant("2026-04-01T00:00:00Z"), zone: .utc)
    #expect(decisions.first?.reasons.last == "weekly \(week)")
  }
}
