import Glibc
import Local
import Synchronization
import VaultModel
import VaultSystem

/// One line on a terminal that says how far a job is, rewritten at most ten times a second and erased at the end.
package final class ProgressLine: Sendable {
  private struct State {
    var lastShown: UInt64?
    var isEnded = false
  }

  private static let interval: UInt64 = 100_000_000
  private static let erase = "\r\u{1b}[K"

  private let state = Mutex(State())
  private let clock: any VaultClock
  private let start: UInt64
  private let sink: (@Sendable (String) -> Void)?

  /// - Parameter sink: where the line goes; nil shows nothing.
  package init(clock: any VaultClock, sink: (@Sendable (String) -> Void)?) {
    self.clock = clock
    self.sink = sink
    start = clock.monotonicNanoseconds()
  }

  /// Whether standard error is a terminal that can rewrite a line.
  static var isWanted: Bool {
    guard isatty(STDERR_FILENO) == 1, let terminal = getenv("TERM") else { return false }
    return strcmp(terminal, "dumb") != 0
  }

  /// Shows the progress of `body` when the context wants it.
  static func during<Result>(
    _ context: CommandContext, isQuiet: Bool, _ body: (ProgressLine) async throws -> Result
  ) async rethrows -> Result {
    let talk = context.talk
    let sink: @Sendable (String) -> Void = { talk.raw($0) }
    let line = ProgressLine(clock: context.clock, sink: context.showsProgress && !isQuiet ? sink : nil)
    defer { line.end() }
    return try await body(line)
  }

  package func show(_ progress: JobProgress) {
    guard let sink else { return }
    state.withLock { state in
      let now = clock.monotonicNanoseconds()
      if state.isEnded { return }
      if let last = state.lastShown, now < last + Self.interval { return }
      state.lastShown = now
      // Without automatic wrapping a line too long for the terminal is cut, and can still be erased.
      sink("\r\u{1b}[?7l\(Self.text(progress, nanoseconds: now - min(start, now)))\u{1b}[K\u{1b}[?7h")
    }
  }

  /// Erases the line; nothing is shown after.
  package func end() {
    guard let sink else { return }
    state.withLock { state in
      if state.lastShown != nil, !state.isEnded { sink(Self.erase) }
      state.isEnded = true
    }
  }

  private static func text(_ progress: JobProgress, nanoseconds: UInt64) -> String {
    var parts = [
      Figures.duration(milliseconds: nanoseconds / 1_000_000_000 * 1_000),
      "\(Figures.count(progress.entriesSeen)) entries",
    ]
    if progress.bytesSeen > 0 { parts.append("\(Figures.bytes(progress.bytesSeen)) seen") }
    if progress.bytesSent > 0 { parts.append("\(Figures.bytes(progress.bytesSent)) sent") }
    if progress.problems > 0 { parts.append(Figures.count(progress.problems, "problem", "problems")) }
    return parts.joined(separator: ", ")
  }
}
