import Synchronization
import VaultModel
import VaultSession
import VaultSystem

/// The data of an append session that comes over a connection of its own: what the two connections' conversations share.
final class DataFlow: Sendable {
  enum Outcome: Hashable, Sendable {
    /// Everything that was sent is durable.
    case complete
    /// Why the session is aborted.
    case failed(String)
  }

  private enum State {
    case expected
    case flowing(Channel)
    case over(Outcome)
  }

  let ticket: UInt64
  let job: AnnouncedJob
  private let state = Mutex(State.expected)
  private let monitor = Monitor()

  init(ticket: UInt64, job: AnnouncedJob) {
    self.ticket = ticket
    self.job = job
  }

  /// Gives up a connection that has not come: nothing was sent.
  ///
  /// - Returns: false when it has come.
  func takeBack() -> Bool {
    state.withLock { state in
      guard case .expected = state else { return false }
      state = .over(.complete)
      return true
    }
  }

  /// How it ended; nil when it did not.
  var outcome: Outcome? {
    state.withLock { state in
      if case .over(let outcome) = state { return outcome }
      return nil
    }
  }

  /// Its connection is there.
  ///
  /// - Returns: false when it is not expected any more.
  func begin(on channel: Channel) -> Bool {
    state.withLock { state in
      guard case .expected = state else { return false }
      state = .flowing(channel)
      return true
    }
  }

  /// Says how it ended; the first word counts.
  func end(_ outcome: Outcome) {
    let channel: Channel? = state.withLock { state in
      switch state {
      case .over: return nil
      case .expected:
        state = .over(outcome)
        return nil
      case .flowing(let channel):
        state = .over(outcome)
        return channel
      }
    }
    monitor.signal()
    // Whoever waits for the connection's bytes is woken.
    if case .failed = outcome { channel?.close() }
  }

  /// Waits for its end, blocking the thread.
  ///
  /// - Returns: nil when the time passed.
  func waitForEnd(nanoseconds: UInt64) -> Outcome? {
    let ticket = monitor.ticket()
    if let outcome { return outcome }
    _ = monitor.wait(since: ticket, nanoseconds: nanoseconds)
    return outcome
  }
}
