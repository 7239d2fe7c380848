import Console

/// How fast a job goes and how long it still takes, from what it tells of itself; it has no clock of its own.
///
/// Both are smoothed: what went on in the last seconds counts most, and no single second counts for much.
package struct ProgressEstimate: Sendable {
  /// Bytes read a second.
  package private(set) var bytesPerSecond: Double = 0
  /// How much of the job is done, from 0 to 1; nil when nobody knows how large it is, or it is larger than expected.
  package private(set) var fraction: Double?
  private var fractionPerSecond: Double = 0
  private var last: (seconds: Double, bytesRead: UInt64, fraction: Double)?

  /// How many seconds a change of the rate takes to show.
  private static let rateSpan = 5.0
  private static let fractionSpan = 10.0
  /// Before this many seconds nothing is foretold.
  private static let firstSeconds = 2.0
  /// What lies farther ahead is not told.
  private static let longestSeconds = 99.0 * 3_600

  package init() {}

  /// Takes what the job told `seconds` after its begin.
  package mutating func update(_ progress: JobProgress, seconds: Double) {
    fraction = progress.totals.flatMap { Self.fraction(progress, of: $0) }
    let done = fraction ?? 0
    guard let last else {
      // All that was before the first word is one step.
      if seconds > 0 {
        bytesPerSecond = Double(progress.bytesRead) / seconds
        fractionPerSecond = done / seconds
      }
      self.last = (seconds, progress.bytesRead, done)
      return
    }
    let step = seconds - last.seconds
    guard step > 0 else { return }
    let read = progress.bytesRead >= last.bytesRead ? Double(progress.bytesRead - last.bytesRead) : 0
    bytesPerSecond += (read / step - bytesPerSecond) * step / (step + Self.rateSpan)
    // The average of all at first, later that of the span.
    let span = min(seconds, Self.fractionSpan)
    fractionPerSecond += (max(0, done - last.fraction) / step - fractionPerSecond) * step / (step + span)
    self.last = (seconds, progress.bytesRead, done)
  }

  /// Seconds until the end; nil when that cannot be told.
  package var remainingSeconds: Double? {
    guard let fraction, let last, last.seconds >= Self.firstSeconds, fractionPerSecond > 0 else { return nil }
    let remaining = (1 - fraction) / fractionPerSecond
    return remaining <= Self.longestSeconds ? remaining : nil
  }

  /// Entries and bytes count alike: where the one stands still, the other goes on.
  private static func fraction(_ progress: JobProgress, of totals: JobProgress.Totals) -> Double? {
    guard totals.entries > 0, progress.entriesSeen <= totals.entries, progress.bytesDone <= totals.bytes else {
      return nil
    }
    let entries = Double(progress.entriesSeen) / Double(totals.entries)
    return totals.bytes == 0 ? entries : (entries + Double(progress.bytesDone) / Double(totals.bytes)) / 2
  }
}
