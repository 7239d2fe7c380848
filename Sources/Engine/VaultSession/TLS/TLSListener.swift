import SystemPackage
import Synchronization
import VaultCrypto
import VaultModel
import VaultSystem

/// Where a daemon waits for connections over TCP, on any number of addresses.
///
/// The poller's thread accepts and shakes hands; who is accepted is authenticated, by pre-shared key or, where the context has
/// certificates, by certificate. A peer that is not costs one line of the log and no other peer anything.
package final class TLSListener: Listener {
  /// How many connections there may be, those that are shaking hands included.
  package struct Limits: Sendable {
    package var connections = 1024
    package var connectionsPerAddress = 128
    package var handshakeNanoseconds: UInt64 = 10_000_000_000
    /// How many connections above these limits are told so at a time; others end without a word.
    package var surplusConnections = 16
    /// How long telling may take, handshake included.
    package var surplusNanoseconds: UInt64 = 2_000_000_000

    package init() {}
  }

  /// A connection that was turned away, for the log.
  package struct Refusal: Sendable {
    package let peer: String
    package let reason: String
  }

  /// Looks up the key of an identity and tells it, now or later, on any thread; nil when nothing goes by it.
  package typealias KeyLookup = @Sendable (PeerIdentity, _ tell: @escaping @Sendable ([UInt8]?) -> Void) -> Void

  private struct State {
    var count: ConnectionCount
    var droppedLines = LineRate()
  }

  private let sockets: [PolledSocket]
  /// What is listened on; ports that were 0 are those the system chose.
  package let addresses: [SocketAddress]
  private let poller: Poller
  private let context: TLSContext
  private let limits: Limits
  private let role: PeerRole?
  private let lookUp: KeyLookup
  private let onRefusal: @Sendable (Refusal) -> Void
  private let state: Mutex<State>
  private let queue = ConnectionQueue()
  private let clock = SystemClock()

  /// Begins to listen.
  ///
  /// - Parameters:
  ///   - role: whose code a connection above the limits is refused with; without one such a connection ends without a word.
  ///   - heartbeatSeconds: after how long without a byte a connection carries a sign of life; 0 for never.
  ///   - onRefusal: is told of every connection that was turned away.
  ///   - lookUp: finds the key for an identity that dials in. It is called on the poller's thread and must not block: what takes
  ///     time is done elsewhere, within the time that a handshake has.
  /// - Throws: `SystemError` for the first address that cannot be listened on.
  package init(
    addresses wanted: [SocketAddress], poller: Poller, context: TLSContext, limits: Limits = Limits(),
    role: PeerRole? = nil, heartbeatSeconds: UInt64 = 0, onRefusal: @escaping @Sendable (Refusal) -> Void,
    lookUp: @escaping KeyLookup
  ) throws(SystemError) {
    self.poller = poller
    self.context = context
    self.limits = limits
    self.role = role
    self.lookUp = lookUp
    self.onRefusal = onRefusal
    state = Mutex(State(count: ConnectionCount(limits)))
    var sockets: [PolledSocket] = []
    var addresses: [SocketAddress] = []
    for address in wanted {
      let socket = try PolledSocket(try StreamSocket.listen(on: address, heartbeatSeconds: heartbeatSeconds), poller)
      addresses.append(StreamSocket.localAddress(of: socket.number) ?? address)
      sockets.append(socket)
    }
    self.sockets = sockets
    self.addresses = addresses
    for socket in sockets { awaitConnections(on: socket) }
  }

  /// Begins to listen, with keys that are at hand.
  ///
  /// - Parameters:
  ///   - role: as above.
  ///   - key: the secret's key for an identity that dials in; nil when nothing goes by it. Called on the poller's thread.
  /// - Throws: `SystemError` for the first address that cannot be listened on.
  package convenience init(
    addresses: [SocketAddress], poller: Poller, context: TLSContext, limits: Limits = Limits(),
    role: PeerRole? = nil, onRefusal: @escaping @Sendable (Refusal) -> Void,
    key: @escaping @Sendable (PeerIdentity) -> [UInt8]?
  ) throws(SystemError) {
    try self.init(
      addresses: addresses, poller: poller, context: context, limits: limits, role: role, onRefusal: onRefusal,
      lookUp: { identity, tell in tell(key(identity)) })
  }

  deinit { close() }

  // MARK: Accepting

  private func awaitConnections(on socket: PolledSocket) {
    socket.when(.readable) { [weak self] in self?.acceptConnections(on: socket) }
  }

  private func acceptConnections(on socket: PolledSocket) {
    if queue.isClosed { return }
    do throws(Errno) {
      while let accepted = try StreamSocket.accept(socket.number) { receive(accepted) }
      awaitConnections(on: socket)
    } catch {
      // No descriptors left: those that wait are taken when some are free again.
      onRefusal(Refusal(peer: "any", reason: "A connection cannot be accepted: \(error.description)."))
      _ = poller.after(nanoseconds: 1_000_000_000) { [weak self] in self?.acceptConnections(on: socket) }
    }
  }

  private func receive(_ accepted: consuming StreamSocket.Accepted) {
    let peer = accepted.peer
    switch state.withLock({ $0.count.admit(peer.host) }) {
    case .admitted:
      let ticket = ConnectionTicket { [weak self] in self?.state.withLock { $0.count.forget(peer.host) } }
      shakeHands(accepted.take(), peer, ticket, limits.handshakeNanoseconds) { listener, transport in
        if listener?.queue.deliver(transport) != true { transport.close() }
      }
    case .surplus(let excess):
      let ticket = ConnectionTicket { [weak self] in self?.state.withLock { $0.count.forgetSurplus() } }
      guard let role else { return drop(peer, excess) }
      onRefusal(Refusal(peer: peer.text, reason: excess.description))
      shakeHands(accepted.take(), peer, ticket, limits.surplusNanoseconds) { [poller, limits] _, transport in
        SurplusConnection.refuse(transport, as: role, excess, poller, limitNanoseconds: limits.surplusNanoseconds)
      }
    case .dropped(let excess): drop(peer, excess)
    }
  }

  /// A connection above the limits that ends without a word: a line of the log for many of them.
  private func drop(_ peer: SocketAddress, _ excess: TooManyConnections) {
    guard let heldBack = state.withLock({ $0.droppedLines.next(at: clock.monotonicNanoseconds()) }) else { return }
    let others = heldBack == 0 ? "" : " \(heldBack) others have been closed without a word, too."
    onRefusal(Refusal(peer: peer.text, reason: "\(excess.description) It was closed without a word.\(others)"))
  }

  private func shakeHands(
    _ socket: consuming Descriptor, _ peer: SocketAddress, _ ticket: ConnectionTicket, _ limitNanoseconds: UInt64,
    _ take: @escaping @Sendable (TLSListener?, TLSTransport) -> Void
  ) {
    let plan = TLSHandshake.Plan(
      context: context, credentials: .listen, peer: peer.text, limitNanoseconds: limitNanoseconds, ticket: ticket
    ) { [lookUp] bytes, tell in
      if let identity = PeerIdentity(ByteString(bytes)) { lookUp(identity, tell) } else { tell(nil) }
    }
    TLSHandshake.start(socket, plan, poller) { [weak self] result in
      switch result {
      case .success(let transport): take(self, transport)
      case .failure(let error): self?.onRefusal(Refusal(peer: peer.text, reason: error.description))
      }
    }
  }

  package func accept() async -> (any Transport)? { await queue.accept { [weak self] in self?.close() } }

  package func close() {
    queue.close()
    for socket in sockets { socket.end() }
  }
}

/// Counts a connection as long as it lives.
final class ConnectionTicket: Sendable {
  private let end: @Sendable () -> Void
  init(_ end: @escaping @Sendable () -> Void) { self.end = end }
  deinit { end() }
}
