import Glibc
import VaultConfiguration
import VaultModel
import VaultScheduler

extension LocalTimeZone {
  /// The time zone that the environment or the system sets. The corresponding C function is `localtime_r`.
  static let system: LocalTimeZone = {
    tzset()
    return LocalTimeZone { seconds in
      var time = time_t(seconds)
      var fields = tm()
      return localtime_r(&time, &fields) == nil ? 0 : Int64(fields.tm_gmtoff)
    }
  }()

  /// `2026-01-31 14:30:00` on this clock.
  package func text(secondsSinceEpoch seconds: Int64) -> String {
    let (local, overflow) = seconds.addingReportingOverflow(offsetSeconds(seconds))
    let text = RFC3339.render(seconds: overflow ? seconds : local, nanoseconds: 0, fractionDigits: 0)
    return String(text.dropLast().map { $0 == "T" ? " " : $0 })
  }

  package func text(_ instant: Timestamp) -> String {
    // Rounded down, also before 1970.
    let quotient = instant.nanoseconds / 1_000_000_000
    return text(secondsSinceEpoch: instant.nanoseconds % 1_000_000_000 < 0 ? quotient - 1 : quotient)
  }
}
