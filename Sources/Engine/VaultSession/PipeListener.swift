import Synchronization
import VaultModel

/// Where a role in this process waits for connections: the in-process twin of a listening socket.
package final class PipeListener: Listener {
  private struct State {
    var waiting: [PipeTransport] = []
    var acceptor: CheckedContinuation<(any Transport)?, Never>?
    var isClosed = false
  }

  private let state = Mutex(State())
  private let name: String
  private let capacity: Int

  /// - Bounds: `capacity` bytes in each direction of every connection.
  package init(name: String, capacity: Int = 256 * 1024) {
    self.name = name
    self.capacity = capacity
  }

  /// Dials: the connection is the acceptor's next.
  package func connect(from dialler: String) throws(TransportError) -> PipeTransport {
    let (here, there) = PipeTransport.pair(capacity: capacity, names: (dialler, name))
    var acceptor: CheckedContinuation<(any Transport)?, Never>?
    let isClosed = state.withLock { state in
      if state.isClosed { return true }
      acceptor = state.acceptor.take()
      if acceptor == nil { state.waiting.append(there) }
      return false
    }
    if isClosed { throw TransportError(.closed, peer: name) }
    acceptor?.resume(returning: there)
    return here
  }

  package func accept() async -> (any Transport)? {
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
      close()
    }
  }

  package func close() {
    let (waiting, acceptor) = state.withLock { state in
      state.isClosed = true
      defer { state.waiting = [] }
      return (state.waiting, state.acceptor.take())
    }
    for transport in waiting { transport.close() }
    acceptor?.resume(returning: nil)
  }
}
