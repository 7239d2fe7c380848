import SystemPackage
import Synchronization
import VaultCrypto
import VaultModel
import VaultSystem

/// Where a daemon waits for connections over TCP, on any number of addresses.
///
/// The poller's thread accepts and shakes hands; who is accepted is authenticated. A peer that is not costs one line of the log and no
/// other peer anything.
package final class TLSListener: Listener {
  /// How many connections there may be, those that are shaking hands included.
  package struct Limits: Sendable {
    package var connections = 1024
    package var connectionsPerAddress = 128
    package var handshakeNanoseconds: UInt64 = 10_000_000_000

    package init() {}
  }

  /// A connection that was turned away, for the log.
  package struct Refusal: Sendable {
    package let peer: String
    package let reason: String
  }

  private struct State {
    /// Open connections by their peers' addresses.
    var connections: [String: Int] = [:]
    var connectionCount = 0
  }

  private let sockets: [PolledSocket]
  /// What is listened on; ports that were 0 are those the system chose.
  package let addresses: [SocketAddress]
  private let poller: Poller
  private let context: TLSContext
  private let limits: Limits
  private let key: @Sendable (PeerIdentity) -> [UInt8]?
  private let onRefusal: @Sendable (Refusal) -> Void
  private let state = Mutex(State())
  private let queue = ConnectionQueue()

  /// Begins to listen.
  ///
  /// - Parameters:
  ///   - key: the secret's key for an identity that dials in; nil when nothing goes by it. Called on the poller's thread.
  ///   - onRefusal: is told of every connection that was turned away.
  /// - Throws: `SystemError` for the first address that cannot be listened on.
  package init(
    addresses wanted: [SocketAddress], poller: Poller, context: TLSContext, limits: Limits = Limits(),
    onRefusal: @escaping @Sendable (Refusal) -> Void, key: @escaping @Sendable (PeerIdentity) -> [UInt8]?
  ) throws(SystemError) {
    self.poller = poller
    self.context = context
    self.limits = limits
    self.key = key
    self.onRefusal = onRefusal
    var sockets: [PolledSocket] = []
    var addresses: [SocketAddress] = []
    for address in wanted {
      let socket = try PolledSocket(try StreamSocket.listen(on: address), poller)
      addresses.append(StreamSocket.localAddress(of: socket.number) ?? address)
      sockets.append(socket)
    }
    self.sockets = sockets
    self.addresses = addresses
    for socket in sockets { awaitConnections(on: socket) }
  }

  deinit { close() }

  // MARK: Accepting

  private func awaitConnections(on socket: PolledSocket) {
    socket.when(.readable) { [weak self] in self?.acceptConnections(on: socket) }
  }

  private func acceptConnections(on socket: PolledSocket) {
    if queue.isClosed { return }
    do throws(Errno) {
      while let accepted = try StreamSocket.accept(socket.number) { shakeHands(accepted) }
      awaitConnections(on: socket)
    } catch {
      // No descriptors left: those that wait are taken when some are free again.
      onRefusal(Refusal(peer: "any", reason: "A connection cannot be accepted: \(error.description)."))
      _ = poller.after(nanoseconds: 1_000_000_000) { [weak self] in self?.acceptConnections(on: socket) }
    }
  }

  private func shakeHands(_ accepted: consuming StreamSocket.Accepted) {
    let peer = accepted.peer
    guard let ticket = admit(peer.host) else {
      return onRefusal(Refusal(peer: peer.text, reason: "Too many connections are open."))
    }
    let credentials = TLSCredentials.listen { [key] bytes in PeerIdentity(ByteString(bytes)).flatMap(key) }
    TLSHandshake.start(
      accepted.take(), context, credentials, poller, peer: peer.text, isConnecting: false,
      limitNanoseconds: limits.handshakeNanoseconds
    ) { [weak self] result in
      switch result {
      case .success(let transport):
        transport.keep(ticket)
        if self?.queue.deliver(transport) != true { transport.close() }
      case .failure(let error): self?.onRefusal(Refusal(peer: peer.text, reason: error.description))
      }
    }
  }

  /// Counts a connection; nil when there are too many. It counts as long as the ticket lives.
  private func admit(_ host: String) -> ConnectionTicket? {
    let isAdmitted = state.withLock { state in
      guard state.connectionCount < limits.connections,
        state.connections[host, default: 0] < limits.connectionsPerAddress
      else { return false }
      state.connectionCount += 1
      state.connections[host, default: 0] += 1
      return true
    }
    return isAdmitted ? ConnectionTicket { [weak self] in self?.forget(host) } : nil
  }

  private func forget(_ host: String) {
    state.withLock { state in
      state.connectionCount -= 1
      let count = state.connections[host, default: 0] - 1
      state.connections[host] = count > 0 ? count : nil
    }
  }

  package func accept() async -> (any Transport)? { await queue.accept { [weak self] in self?.close() } }

  package func close() {
    for socket in sockets { socket.stopListening() }
    queue.close()
  }
}

/// Counts a connection as long as it lives.
final class ConnectionTicket: Sendable {
  private let end: @Sendable () -> Void
  init(_ end: @escaping @Sendable () -> Void) { self.end = end }
  deinit { end() }
}
