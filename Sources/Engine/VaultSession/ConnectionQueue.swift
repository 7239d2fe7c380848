import Synchronization

/// Connections that a listener has and that its role has not accepted yet.
final class ConnectionQueue: Sendable {
  private struct State {
    var waiting: [any Transport] = []
    var acceptor: CheckedContinuation<(any Transport)?, Never>?
    var isClosed = false
  }

  private let state = Mutex(State())

  var isClosed: Bool { state.withLock { $0.isClosed } }

  /// Hands a connection to whoever accepts; false when the queue is closed, and the connection nobody's.
  func deliver(_ transport: any Transport) -> Bool {
    var acceptor: CheckedContinuation<(any Transport)?, Never>?
    let isOpen = state.withLock { state in
      if state.isClosed { return false }
      acceptor = state.acceptor.take()
      if acceptor == nil { state.waiting.append(transport) }
      return true
    }
    acceptor?.resume(returning: transport)
    return isOpen
  }

  /// The next connection; nil once the queue is closed. One task accepts at a time; its cancellation calls `onCancel`.
  func accept(onCancel: @escaping @Sendable () -> Void) async -> (any Transport)? {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let ready: (any Transport)?? = state.withLock { state in
          if !state.waiting.isEmpty { return .some(state.waiting.removeFirst()) }
          if state.isClosed { return .some(nil) }
          state.acceptor = continuation
          return nil
        }
        if let ready { continuation.resume(returning: ready) }
      }
    } onCancel: {
      onCancel()
    }
  }

  /// Takes no further connections and ends those that nobody accepted.
  func close() {
    let (waiting, acceptor) = state.withLock { state in
      state.isClosed = true
      defer { state.waiting = [] }
      return (state.waiting, state.acceptor.take())
    }
    for transport in waiting { transport.close() }
    acceptor?.resume(returning: nil)
  }
}
