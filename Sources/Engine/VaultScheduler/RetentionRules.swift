import VaultConfiguration
import VaultModel

/// Which jobs of a tree stay, by rule.
///
/// A rule such as *daily 7* looks at the days that have a job, newest first, and keeps the newest job of each of the
/// first seven. Days, ISO weeks, months and years are those of a local clock. What no rule keeps is dropped.
package struct RetentionRules: Hashable, Sendable {
  package var last: UInt32?
  package var daily: UInt32?
  package var weekly: UInt32?
  package var monthly: UInt32?
  package var yearly: UInt32?
  /// Seconds before now within which every job stays.
  package var within: UInt64?

  package init(
    last: UInt32? = nil, daily: UInt32? = nil, weekly: UInt32? = nil, monthly: UInt32? = nil, yearly: UInt32? = nil,
    within: UInt64? = nil
  ) {
    self.last = last
    self.daily = daily
    self.weekly = weekly
    self.monthly = monthly
    self.yearly = yearly
    self.within = within
  }

  /// Whether there is no rule, so that nothing can be decided.
  package var isEmpty: Bool { self == RetentionRules() }
}

/// What becomes of one job, and why.
package struct RetentionDecision: Hashable, Sendable {
  package let job: JobNumber
  /// Why it stays, each in words; empty when it is dropped.
  package let reasons: [String]

  package var isKept: Bool { !reasons.isEmpty }
}

extension RetentionRules {
  /// A job of a tree, as far as a decision needs it.
  package struct Candidate: Hashable, Sendable {
    package let job: JobNumber
    package let sequence: UInt64
    package let ended: Timestamp
    package let isPublished: Bool
    /// Why the job stays whatever the rules say; nil when they decide.
    package let protection: String?

    package init(job: JobNumber, sequence: UInt64, ended: Timestamp, isPublished: Bool, protection: String? = nil) {
      self.job = job
      self.sequence = sequence
      self.ended = ended
      self.isPublished = isPublished
      self.protection = protection
    }
  }

  /// Decides on the jobs of one tree, newest first by sequence: clocks may have been wrong.
  ///
  /// The newest published job always stays. Jobs that are not published count for no rule but *within*.
  package func decide(
    _ candidates: [Candidate], now: Timestamp, zone: LocalTimeZone
  ) -> [RetentionDecision] {
    var buckets: [Bucket: Set<String>] = [:]
    var lastCount: UInt32 = 0
    var hasNewest = false
    return candidates.sorted { $0.sequence > $1.sequence }.map { job in
      var reasons = job.protection.map { [$0] } ?? []
      if job.isPublished {
        if !hasNewest { reasons.append("the newest") }
        hasNewest = true
        if let last, lastCount < last {
          lastCount += 1
          reasons.append("last \(lastCount)")
        }
        for (bucket, limit) in limits {
          let label = bucket.label(of: job.ended, zone)
          guard buckets[bucket, default: []].count < limit, buckets[bucket, default: []].insert(label).inserted else {
            continue
          }
          reasons.append("\(bucket.rawValue) \(label)")
        }
      }
      if let within, isWithin(within, job.ended, now) { reasons.append("within the time given") }
      return RetentionDecision(job: job.job, reasons: reasons)
    }
  }

  private enum Bucket: String {
    case daily
    case weekly
    case monthly
    case yearly

    /// `2026-03-14`, `2026-W11`, `2026-03` or `2026`.
    func label(of instant: Timestamp, _ zone: LocalTimeZone) -> String {
      let seconds = instant.nanoseconds / 1_000_000_000 - (instant.nanoseconds % 1_000_000_000 < 0 ? 1 : 0)
      let date = CalendarTime(secondsSinceEpoch: zone.localSeconds(at: seconds)).date
      func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
      switch self {
      case .daily: return "\(date.year)-\(two(date.month))-\(two(date.day))"
      case .weekly:
        let week = date.isoWeek
        return "\(week.year)-W\(two(week.number))"
      case .monthly: return "\(date.year)-\(two(date.month))"
      case .yearly: return "\(date.year)"
      }
    }
  }

  private var limits: [(Bucket, UInt32)] {
    [(Bucket.daily, daily), (.weekly, weekly), (.monthly, monthly), (.yearly, yearly)].compactMap { bucket, limit in
      limit.map { (bucket, $0) }
    }
  }

  private func isWithin(_ seconds: UInt64, _ ended: Timestamp, _ now: Timestamp) -> Bool {
    let (length, tooLong) = Int64(clamping: seconds).multipliedReportingOverflow(by: 1_000_000_000)
    let (start, overflow) = now.nanoseconds.subtractingReportingOverflow(length)
    return tooLong || overflow || ended.nanoseconds >= start
  }
}

extension CalendarDate {
  /// The week of ISO 8601: it begins on Monday, and belongs to the year that has its Thursday.
  package var isoWeek: (year: Int64, number: Int64) {
    let days = daysSinceEpoch
    // 1970-01-01 was a Thursday: Monday is 0.
    let weekday = ((days + 3) % 7 + 7) % 7
    let thursday = CalendarDate(daysSinceEpoch: days - weekday + 3)
    return (thursday.year, thursday.dayOfYear / 7 + 1)
  }

  /// 0 for the first of January.
  private var dayOfYear: Int64 {
    (CalendarDate(year: year, month: 1, day: 1)?.daysSinceEpoch).map { daysSinceEpoch - $0 } ?? 0
  }
}
