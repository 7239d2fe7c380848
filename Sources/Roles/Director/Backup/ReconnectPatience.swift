import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

/// How long a running job waits for a daemon that it lost: the Reconnect Window, counted from the loss.
///
/// An attempt that committed something begins a new window.
struct ReconnectPatience: Sendable {
  private static let longestPauseSeconds: UInt64 = 10

  let windowSeconds: UInt64
  /// Waits; returns early when the job is cancelled.
  let pause: @Sendable (_ nanoseconds: UInt64) async -> Void
  /// Is called at each loss.
  let onLoss: @Sendable (any Error) -> Void
  /// Is told what the job waits for: once, and again when the cause is another one, and when the window is over.
  let tell: @Sendable (String) -> Void
  private var lostSince: UInt64?
  private var pauseSeconds: UInt64 = 1
  /// The cause that was told last.
  private var toldCause: String?

  init(
    windowSeconds: UInt64, pause: @escaping @Sendable (UInt64) async -> Void,
    onLoss: @escaping @Sendable (any Error) -> Void, tell: @escaping @Sendable (String) -> Void
  ) {
    self.windowSeconds = windowSeconds
    self.pause = pause
    self.onLoss = onLoss
    self.tell = tell
  }

  /// Whether an error is the loss of a daemon or of a connection, after which another attempt may succeed.
  static func isLoss(_ error: any Error) -> Bool {
    switch error {
    case let error as TransportError:
      if case .malformed = error.kind { return false }
      return true
    case let refusal as PeerRefusal:
      // A daemon that was told to end says that it was interrupted: it may be back soon.
      return refusal.exitStatus == .unreachable || refusal.exitStatus == .interrupted || refusal.code == .volumeBusy
        || refusal.code == .notRecovered
    case is NameLookupError: return true
    default: return false
    }
  }

  /// Whether an error is that nobody answered: a dialler has insisted for as long as the connect timeouts say.
  static func isUnanswered(_ error: any Error) -> Bool {
    switch error {
    case let error as TransportError:
      switch error.kind {
      case .unreachable, .timedOut: return true
      default: return false
      }
    case is NameLookupError: return true
    default: return false
    }
  }

  /// Waits before the next attempt.
  ///
  /// - Returns: false when the window is over.
  mutating func wait(after error: any Error, madeProgress: Bool, clock: any VaultClock) async -> Bool {
    let now = clock.monotonicNanoseconds()
    if madeProgress { (lostSince, pauseSeconds, toldCause) = (nil, 1, nil) }
    let since = lostSince ?? now
    lostSince = since
    let elapsed = (now - since) / 1_000_000_000
    onLoss(error)
    guard elapsed < windowSeconds else {
      if windowSeconds > 0 { tell("The Reconnect Window of \(windowSeconds) seconds is over.") }
      return false
    }
    let cause = "\(error)"
    if toldCause != cause { tell("\(cause) The job goes on when it can, within \(windowSeconds - elapsed) seconds.") }
    toldCause = cause
    await pause(min(pauseSeconds, windowSeconds - elapsed) * 1_000_000_000)
    pauseSeconds = min(2 * pauseSeconds, Self.longestPauseSeconds)
    return true
  }
}
