import COpenSSL
import VaultModel

/// One TLS connection over a socket that somebody else owns and that does not block.
///
/// One thread at a time: whoever shares it has a lock.
package final class TLSStream {
  /// What a call came to.
  package enum Outcome: Hashable, Sendable {
    case done(Int)
    /// The socket must be readable before the call is made again.
    case needsReadable
    /// The socket must be writable before the call is made again.
    case needsWritable
    /// The peer ended the stream in order.
    case end
  }

  /// What a step of the handshake came to.
  package enum Progress: Hashable, Sendable {
    case done
    case needsReadable
    case needsWritable
    /// A dialler calls under this identity: the listener looks up its key and tells it by `answer(key:)`.
    case needsKey(identity: [UInt8])
  }

  private let library: OpaquePointer
  private let context: TLSContext
  let credentials: TLSCredentials
  /// How both sides were authenticated, once the handshake is done.
  package private(set) var authentication: PeerAuthentication?
  /// The identity that the peer calls under, once a listener has heard it.
  private var offeredIdentity: [UInt8]?
  /// Its key once that was looked up; empty when the peer changed its mind meanwhile.
  private var keyOffered: [UInt8]?
  /// The listener knows nothing by that identity: a random key is tried.
  private var isUnknown = false
  /// Why the stream is broken.
  private var failure: TLSFailure?
  /// Why the peer's certificate was not accepted.
  var certificateProblem: String?
  /// The dialler's identity where the library may keep a pointer to it.
  let ownIdentity: UnsafeMutableBufferPointer<UInt8>

  /// - Parameter socket: stays open as long as the stream.
  package init(_ context: TLSContext, _ credentials: TLSCredentials, socket: Int32) throws(CryptoError) {
    guard let library = SSL_new(context.library) else { throw CryptoError.fromLibrary("SSL_new") }
    self.library = library
    self.context = context
    self.credentials = credentials
    if case .dial(let identity, _) = credentials {
      ownIdentity = .allocate(capacity: identity.count)
      _ = ownIdentity.initialize(from: identity)
    } else {
      ownIdentity = UnsafeMutableBufferPointer(start: nil, count: 0)
    }
    SSL_set_ex_data(library, 0, Unmanaged.passUnretained(self).toOpaque())
    guard SSL_set_fd(library, socket) == 1 else { throw CryptoError.fromLibrary("SSL_set_fd") }
    let verifies = context.certificates?.verifiesPeer == true
    switch credentials {
    case .dial:
      // Whatever certificate comes is refused.
      SSL_set_verify(library, SSL_VERIFY_PEER, nil)
      SSL_set_connect_state(library)
    case .dialByCertificate:
      SSL_set_verify(library, verifies ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nil)
      SSL_set_connect_state(library)
    case .listen:
      let mode = verifies ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT : SSL_VERIFY_NONE
      SSL_set_verify(library, mode, nil)
      SSL_set_accept_state(library)
    }
  }

  deinit {
    SSL_free(library)
    ownIdentity.deallocate()
  }

  // MARK: Calls

  /// Goes on with the handshake; `.done` when both sides are authenticated.
  package func handshake() throws(TLSFailure) -> Progress {
    let outcome = try outcome { SSL_do_handshake(library) }
    if SSL_want(library) == SSL_CLIENT_HELLO_CB { return .needsKey(identity: offeredIdentity ?? []) }
    switch outcome {
    case .needsReadable: return .needsReadable
    case .needsWritable: return .needsWritable
    case .end: throw .closed
    case .done:
      try authenticate()
      return .done
    }
  }

  /// Takes decrypted bytes that have arrived.
  package func read(into buffer: UnsafeMutableRawBufferPointer) throws(TLSFailure) -> Outcome {
    try outcome { SSL_read(library, buffer.baseAddress, Int32(clamping: buffer.count)) }
  }

  /// Whether a read would give bytes or an end now; the bytes stay.
  package func peek() -> Outcome {
    var byte: UInt8 = 0
    // A broken stream is told by the read that follows.
    return (try? outcome { SSL_peek(library, &byte, 1) }) ?? .end
  }

  /// Whether bytes were taken from the socket that no read has given yet.
  package var holdsBytes: Bool { SSL_has_pending(library) == 1 }

  /// Whether such bytes are decrypted: a read would give some without looking at the socket.
  package var holdsDecryptedBytes: Bool { SSL_pending(library) > 0 }

  /// Gives bytes to be encrypted and sent, possibly fewer than all; at least one.
  ///
  /// After `.needsReadable` and `.needsWritable` the next call brings the same bytes.
  package func write(_ bytes: UnsafeRawBufferPointer) throws(TLSFailure) -> Outcome {
    let outcome = try outcome { SSL_write(library, bytes.baseAddress, Int32(clamping: bytes.count)) }
    if outcome == .end { throw .closed }
    return outcome
  }

  /// Tells the peer that nothing more comes; called again until there was room for it, and never after that.
  @discardableResult
  package func sendEnd() throws(TLSFailure) -> Outcome {
    try outcome {
      let result = SSL_shutdown(library)
      // 0: the peer has not ended its side.
      return result == 0 ? 1 : result
    }
  }

  /// Makes one call of the library.
  private func outcome(_ call: () -> Int32) throws(TLSFailure) -> Outcome {
    // The library tells an error once, and then that the stream has ended.
    if let failure { throw failure }
    // What is left of another stream's errors is none of this one's.
    ERR_clear_error()
    let result = call()
    if result > 0 { return .done(Int(result)) }
    switch SSL_get_error(library, result) {
    case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_CLIENT_HELLO_CB: return .needsReadable
    case SSL_ERROR_WANT_WRITE: return .needsWritable
    case SSL_ERROR_ZERO_RETURN: return .end
    // What the peer sent before it went may be read still.
    case SSL_ERROR_SYSCALL: throw .closed
    default:
      let cause = self.cause(TLSFailure.fromLibrary(credentials))
      failure = cause
      throw cause
    }
  }

  /// What lies behind the library's error, where more is known.
  private func cause(_ error: TLSFailure) -> TLSFailure {
    if isUnknown, let offeredIdentity { return .unknownIdentity(ByteString(offeredIdentity).displayText) }
    return certificateProblem.map { .certificate($0) } ?? error
  }

  // MARK: Authentication

  static func stream(of library: OpaquePointer) -> TLSStream? {
    SSL_get_ex_data(library, 0).map { Unmanaged<TLSStream>.fromOpaque($0).takeUnretainedValue() }
  }

  /// The identity that the peer dialled under and was authenticated as; nil on the dialler's side.
  package var peerIdentity: ByteString? {
    guard case .listen = credentials, case .presharedKey(let identity) = authentication else { return nil }
    return identity
  }

  /// Tells the key of the identity that the handshake waits for; nil when nothing goes by it.
  package func answer(key: [UInt8]?) {
    isUnknown = key == nil
    // To an unknown identity a random key is tried, which fails as a wrong one does.
    keyOffered = key ?? (try? PresharedKey.random()) ?? []
  }

  /// Notes what a dialler offers; false as long as its key is not known.
  func offered(_ identity: [UInt8]) -> Bool {
    if let offeredIdentity, offeredIdentity != identity { keyOffered = [] }
    offeredIdentity = identity
    return keyOffered != nil
  }

  /// The key of an identity that was offered and looked up.
  func key(of identity: [UInt8]) -> [UInt8]? {
    guard identity == offeredIdentity, let keyOffered, !keyOffered.isEmpty else { return nil }
    return keyOffered
  }

  /// How both sides were authenticated; never otherwise than the dialler offered.
  private func authenticate() throws(TLSFailure) {
    let isByKey = SSL_session_reused(library) == 1
    switch credentials {
    case .dial(let identity, _):
      guard isByKey else { throw .certificate("the listener does not know pre-shared keys") }
      authentication = .presharedKey(ByteString(identity))
    case .dialByCertificate: authentication = peerCertificate()
    case .listen:
      guard isByKey == (offeredIdentity != nil) else { throw .noKeyOffered }
      authentication = isByKey ? .presharedKey(ByteString(offeredIdentity ?? [])) : peerCertificate()
    }
  }

  private func peerCertificate() -> PeerAuthentication {
    guard context.certificates?.verifiesPeer == true, let certificate = SSL_get0_peer_certificate(library) else {
      return .unverified
    }
    return .certificate(PeerCertificate(certificate))
  }
}
