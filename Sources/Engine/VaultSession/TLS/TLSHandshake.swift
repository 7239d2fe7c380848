import Synchronization
import VaultCrypto
import VaultModel
import VaultSystem

/// One connection on its way to being made and authenticated, driven by the poller's thread within a time limit.
final class TLSHandshake: @unchecked Sendable {
  // `stream` and `isConnecting` are reached only by `step`, of which one runs at a time: each is armed by the one before.

  /// What comes of it, told once.
  typealias Completion = @Sendable (Result<TLSTransport, TransportError>) -> Void
  /// Looks up the key of an identity and tells it, now or later, on any thread; nil when nothing goes by it.
  typealias KeyLookup = @Sendable (_ identity: [UInt8], _ tell: @escaping @Sendable ([UInt8]?) -> Void) -> Void

  /// How a connection is to be made.
  struct Plan: Sendable {
    var context: TLSContext
    var credentials: TLSCredentials
    /// The peer for a log line.
    var peer: String
    /// The socket is still being connected.
    var isConnecting = false
    var limitNanoseconds: UInt64
    /// Counts the connection as long as it lives.
    var ticket: ConnectionTicket?
    /// A dialler has none: nobody calls it.
    var lookUp: KeyLookup = { _, tell in tell(nil) }
  }

  /// How long a peer that was refused may take to hear why.
  private static let lingerNanoseconds: UInt64 = 2_000_000_000

  private struct State {
    var completion: Completion?
    var timer: Poller.Timer?
  }

  private let plan: Plan
  private let stream: TLSStream
  private let socket: PolledSocket
  private let poller: Poller
  private var isConnecting: Bool
  private let state: Mutex<State>

  private init(
    _ plan: Plan, _ stream: TLSStream, _ socket: PolledSocket, _ poller: Poller, _ completion: @escaping Completion
  ) {
    self.plan = plan
    self.stream = stream
    self.socket = socket
    self.poller = poller
    isConnecting = plan.isConnecting
    state = Mutex(State(completion: completion))
  }

  /// Begins; `completion` is called once, on the poller's thread or at once.
  static func start(
    _ socket: consuming Descriptor, _ plan: Plan, _ poller: Poller, _ completion: @escaping Completion
  ) {
    do {
      let polled = try PolledSocket(socket, poller)
      let stream = try TLSStream(plan.context, plan.credentials, socket: polled.number)
      let handshake = TLSHandshake(plan, stream, polled, poller, completion)
      let timer = poller.after(nanoseconds: plan.limitNanoseconds) {
        handshake.fail(.timedOut(seconds: plan.limitNanoseconds / 1_000_000_000))
        // Somebody may look for its key still.
        handshake.socket.end()
      }
      handshake.state.withLock { $0.timer = timer }
      polled.when(plan.isConnecting ? .writable : .readable) { handshake.step() }
    } catch {
      completion(.failure(TransportError(.broken("\(error)"), peer: plan.peer)))
    }
  }

  private func step() {
    guard state.withLock({ $0.completion != nil }) else { return }
    if isConnecting {
      if let error = StreamSocket.connectionError(of: socket.number) { return fail(.unreachable(error.description)) }
      isConnecting = false
    }
    do throws(TLSFailure) {
      switch try stream.handshake() {
      case .done: finish(.success(TLSTransport(stream, socket, peer: plan.peer, ticket: plan.ticket)))
      case .needsReadable: socket.when(.readable) { self.step() }
      case .needsWritable: socket.when(.writable) { self.step() }
      case .needsKey(let identity): plan.lookUp(identity) { key in self.goOn(with: key) }
      }
    } catch {
      fail(error.isMistake ? .refused(error.description) : .broken(error.description))
      // The peer is to hear the library's alert before the socket goes.
      if error != .closed { socket.endSending(lingerNanoseconds: Self.lingerNanoseconds, holding: plan.ticket) }
    }
  }

  /// Back on the poller's thread, wherever the key was found.
  private func goOn(with key: [UInt8]?) {
    _ = poller.after(nanoseconds: 0) {
      self.stream.answer(key: key)
      self.step()
    }
  }

  private func fail(_ kind: TransportError.Kind) { finish(.failure(TransportError(kind, peer: plan.peer))) }

  private func finish(_ result: Result<TLSTransport, TransportError>) {
    let (completion, timer) = state.withLock { state in
      defer { state = State() }
      return (state.completion, state.timer)
    }
    if let timer { poller.cancel(timer) }
    completion?(result)
  }
}
