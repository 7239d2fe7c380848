import VaultModel

/// Where a role in this process waits for connections: the in-process twin of a listening socket.
package final class PipeListener: Listener {
  private let queue = ConnectionQueue()
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
    guard queue.deliver(there) else { throw TransportError(.closed, peer: name) }
    return here
  }

  package func accept() async -> (any Transport)? { await queue.accept { [queue] in queue.close() } }

  package func close() { queue.close() }
}
