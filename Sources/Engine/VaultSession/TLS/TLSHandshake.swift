import Synchronization
import VaultCrypto
import VaultModel
import VaultSystem

/// One connection on its way to being made and authenticated, driven by the poller's thread within a time limit.
final class TLSHandshake: @unchecked Sendable {
  // `stream` and `isConnecting` are reached only by `step`, of which one runs at a time: each is armed by the one before.

  /// What comes of it, told once.
  typealias Completion = @Sendable (Result<TLSTransport, TransportError>) -> Void

  private struct State {
    var completion: Completion?
    var timer: Poller.Timer?
  }

  private let stream: TLSStream
  private let socket: PolledSocket
  private let poller: Poller
  private let peer: String
  private var isConnecting: Bool
  private let state: Mutex<State>

  private init(
    _ stream: TLSStream, _ socket: PolledSocket, _ poller: Poller, peer: String, isConnecting: Bool,
    _ completion: @escaping Completion
  ) {
    self.isConnecting = isConnecting
    self.stream = stream
    self.socket = socket
    self.poller = poller
    self.peer = peer
    state = Mutex(State(completion: completion))
  }

  /// Begins; `completion` is called once, on the poller's thread or at once.
  ///
  /// - Parameter isConnecting: the socket is still being connected.
  static func start(
    _ socket: consuming Descriptor, _ context: TLSContext, _ credentials: TLSCredentials, _ poller: Poller,
    peer: String,
    isConnecting: Bool, limitNanoseconds: UInt64, _ completion: @escaping Completion
  ) {
    do {
      let polled = try PolledSocket(socket, poller)
      let stream = try TLSStream(context, credentials, socket: polled.number)
      let handshake = TLSHandshake(stream, polled, poller, peer: peer, isConnecting: isConnecting, completion)
      let timer = poller.after(nanoseconds: limitNanoseconds) {
        handshake.finish(.failure(TransportError(.timedOut(seconds: limitNanoseconds / 1_000_000_000), peer: peer)))
      }
      handshake.state.withLock { $0.timer = timer }
      polled.when(isConnecting ? .writable : .readable) { handshake.step() }
    } catch {
      completion(.failure(TransportError(.broken("\(error)"), peer: peer)))
    }
  }

  private func step() {
    guard state.withLock({ $0.completion != nil }) else { return }
    if isConnecting {
      if let error = StreamSocket.connectionError(of: socket.number) {
        return finish(.failure(TransportError(.unreachable(error.description), peer: peer)))
      }
      isConnecting = false
    }
    do throws(TLSFailure) {
      switch try stream.handshake() {
      case .done: finish(.success(TLSTransport(stream, socket, peer: peer)))
      case .needsReadable: socket.when(.readable) { self.step() }
      case .needsWritable: socket.when(.writable) { self.step() }
      case .end: finish(.failure(TransportError(.closed, peer: peer)))
      }
    } catch {
      finish(.failure(TransportError(.broken(error.description), peer: peer)))
    }
  }

  private func finish(_ result: Result<TLSTransport, TransportError>) {
    let (completion, timer) = state.withLock { state in
      defer { state = State() }
      return (state.completion, state.timer)
    }
    if let timer { poller.cancel(timer) }
    completion?(result)
  }
}
