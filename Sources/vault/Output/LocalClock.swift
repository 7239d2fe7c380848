import VaultConfiguration
import VaultModel
import VaultScheduler

extension LocalTimeZone {
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
