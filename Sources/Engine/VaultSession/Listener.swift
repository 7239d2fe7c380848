/// Where a role waits for connections: pipes in one process, sockets for daemons.
package protocol Listener: AnyObject, Sendable {
  /// The next connection, authenticated as far as the transport does that; nil once the listener is closed.
  ///
  /// One task accepts at a time; cancelling it closes the listener.
  func accept() async -> (any Transport)?

  /// Refuses further connections and ends those that nobody accepted.
  func close()
}
