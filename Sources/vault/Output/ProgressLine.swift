import Glibc
import Console
import Synchronization
import VaultModel
import VaultSystem

/// Shows how far a job is: one line of a terminal, rewritten at most four times a second and erased at the end, or an
/// object a line for programs.
package final class ProgressLine: Sendable {
  /// Where progress goes.
  package enum Sink: Sendable {
    /// A terminal, and how many columns it has now.
    case terminal(@Sendable (String) -> Void, width: @Sendable () -> Int)
    /// A JSON object a line.
    case objects(@Sendable ([UInt8]) -> Void)
  }

  private struct State {
    var lastShown: UInt64?
    var isEnded = false
    var estimate = ProgressEstimate()
  }

  private static let interval: UInt64 = 250_000_000
  private static let erase = "\r\u{1b}[K"

  private let state = Mutex(State())
  private let clock: any VaultClock
  private let start: UInt64
  private let sink: Sink?

  /// - Parameter sink: where progress goes; nil shows nothing.
  package init(clock: any VaultClock, sink: Sink?) {
    self.clock = clock
    self.sink = sink
    start = clock.monotonicNanoseconds()
  }

  /// Whether standard error is a terminal that can rewrite a line.
  static var isWanted: Bool {
    guard isatty(STDERR_FILENO) == 1, let terminal = getenv("TERM") else { return false }
    return strcmp(terminal, "dumb") != 0
  }

  /// The columns of the terminal on standard error, as they are now; 80 when it does not say.
  static func terminalWidth() -> Int {
    var size = winsize()
    guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
    return Int(size.ws_col)
  }

  /// Shows the progress of `body`: as objects on standard output when they are asked for, else on a terminal.
  static func during<Result>(
    _ context: CommandContext, isQuiet: Bool, asObjects: Bool = false, _ body: (ProgressLine) async throws -> Result
  ) async rethrows -> Result {
    let (talk, output) = (context.talk, context.output)
    let sink: Sink? =
      if asObjects {
        .objects { output.writeNow($0) }
      } else if context.showsProgress, !isQuiet {
        .terminal({ talk.raw($0) }, width: context.terminalWidth)
      } else {
        nil
      }
    let line = ProgressLine(clock: context.clock, sink: sink)
    defer { line.end() }
    return try await body(line)
  }

  package func show(_ progress: JobProgress) {
    guard let sink else { return }
    state.withLock { state in
      let now = clock.monotonicNanoseconds()
      if state.isEnded { return }
      let milliseconds = (now - min(start, now)) / 1_000_000
      if let last = state.lastShown, now < last + Self.interval { return }
      state.lastShown = now
      state.estimate.update(progress, seconds: Double(milliseconds) / 1_000)
      switch sink {
      case .terminal(let write, let width):
        // The last column stays free: some terminals go to the next line behind it. Without automatic wrapping a line
        // with characters of two columns is cut, and can still be erased.
        let line = ProgressText.line(progress, state.estimate, milliseconds: milliseconds, width: width() - 1)
        write("\r\u{1b}[?7l\(line)\u{1b}[K\u{1b}[?7h")
      case .objects(let write): write(Self.object(progress, state.estimate, milliseconds))
      }
    }
  }

  /// Erases the line; nothing is shown after.
  package func end() {
    state.withLock { state in
      if case .terminal(let write, _) = sink, state.lastShown != nil, !state.isEnded { write(Self.erase) }
      state.isEnded = true
    }
  }

  private static func object(_ progress: JobProgress, _ estimate: ProgressEstimate, _ milliseconds: UInt64) -> [UInt8] {
    var writer = JSONWriter()
    writer.object { writer in
      writer.field("type", "progress")
      writer.seconds("elapsedSeconds", milliseconds: milliseconds)
      writer.field("entries", progress.entriesSeen)
      writer.field("bytes", progress.bytesDone)
      writer.field("bytesRead", progress.bytesRead)
      writer.field("bytesSent", progress.bytesSent)
      writer.field("bytesPerSecond", UInt64(min(estimate.bytesPerSecond, 1e18)))
      writer.field("problemCount", progress.problems)
      if let totals = progress.totals {
        writer.field("totalEntries", totals.entries)
        writer.field("totalBytes", totals.bytes)
      }
      if let remaining = estimate.remainingSeconds {
        writer.seconds("remainingSeconds", milliseconds: UInt64(remaining * 1_000))
      }
      if !progress.path.isEmpty { writer.field("path", progress.path) }
    }
    writer.endLine()
    return writer.takeBytes()
  }
}
