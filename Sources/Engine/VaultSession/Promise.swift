import Synchronization

/// A result that comes once, from any thread, to the one task that waits for it.
package final class Promise<Value: Sendable>: Sendable {
  private enum State {
    case open
    case awaited(CheckedContinuation<Value, any Error>)
    case fulfilled(Result<Value, any Error>)
    case over
  }

  private let state = Mutex(State.open)

  package init() {}

  /// Gives the result; false when there is one already.
  @discardableResult
  package func fulfil(_ result: Result<Value, any Error>) -> Bool {
    var waiting: CheckedContinuation<Value, any Error>?
    let isFirst = state.withLock { state in
      switch state {
      case .open:
        state = .fulfilled(result)
        return true
      case .awaited(let continuation):
        waiting = continuation
        state = .over
        return true
      case .fulfilled, .over: return false
      }
    }
    waiting?.resume(with: result)
    return isFirst
  }

  /// Waits for the result; for one task, once.
  package func value() async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
      let ready: Result<Value, any Error>? = state.withLock { state in
        if case .fulfilled(let result) = state {
          state = .over
          return result
        }
        state = .awaited(continuation)
        return nil
      }
      if let ready { continuation.resume(with: ready) }
    }
  }
}
