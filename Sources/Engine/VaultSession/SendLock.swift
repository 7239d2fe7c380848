import Synchronization
import VaultSystem

/// Keeps whole lines and frames of several senders apart: held during a send, by a thread that blocks or by a task that waits.
///
/// Whoever waits gets it in turn; a task may hold it across its suspensions.
final class SendLock: Sendable {
  private struct State {
    var isHeld = false
    var waiting: [@Sendable () -> Void] = []
  }

  private let state = Mutex(State())

  /// Takes the lock if it is free.
  func tryLock() -> Bool {
    state.withLock { state in
      if state.isHeld { return false }
      state.isHeld = true
      return true
    }
  }

  /// Takes the lock, blocking the thread.
  func lock() {
    if tryLock() { return }
    let turn = Monitor()
    let ticket = turn.ticket()
    whenHeld { turn.signal() }
    turn.wait(since: ticket)
  }

  /// Calls `wake` once, when the lock is the caller's; at once if it is free.
  func whenHeld(_ wake: @escaping @Sendable () -> Void) {
    let isHeldNow = state.withLock { state in
      if state.isHeld {
        state.waiting.append(wake)
        return false
      }
      state.isHeld = true
      return true
    }
    if isHeldNow { wake() }
  }

  /// Hands the lock to whoever waits longest.
  func unlock() {
    let next: (@Sendable () -> Void)? = state.withLock { state in
      if state.waiting.isEmpty {
        state.isHeld = false
        return nil
      }
      return state.waiting.removeFirst()
    }
    next?()
  }
}
