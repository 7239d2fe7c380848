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

  private let library: OpaquePointer
  private let context: TLSContext
  private let credentials: TLSCredentials
  /// The identity that the peer called under, once a listener has heard it.
  package private(set) var peerIdentity: [UInt8] = []
  /// The listener knows nothing by that identity: a random key was tried.
  private var isUnknown = false
  /// The dialler's identity where the library may keep a pointer to it.
  private let ownIdentity: UnsafeMutableBufferPointer<UInt8>

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
    switch credentials {
    case .dial: SSL_set_connect_state(library)
    case .listen: SSL_set_accept_state(library)
    }
  }

  deinit {
    SSL_free(library)
    ownIdentity.deallocate()
  }

  // MARK: Calls

  /// Goes on with the handshake; `.done` when both sides are authenticated.
  package func handshake() throws(TLSFailure) -> Outcome {
    let outcome = try outcome(of: SSL_do_handshake(library))
    return outcome == .end ? try ended() : outcome
  }

  /// Takes decrypted bytes that have arrived.
  package func read(into buffer: UnsafeMutableRawBufferPointer) throws(TLSFailure) -> Outcome {
    try outcome(of: SSL_read(library, buffer.baseAddress, Int32(clamping: buffer.count)))
  }

  /// Whether a read would give bytes or an end now; the bytes stay.
  package func peek() -> Outcome {
    var byte: UInt8 = 0
    // A broken stream is told by the read that follows.
    return (try? outcome(of: SSL_peek(library, &byte, 1))) ?? .end
  }

  /// Whether bytes were taken from the socket that no read has given yet.
  package var holdsBytes: Bool { SSL_has_pending(library) == 1 }

  /// Gives bytes to be encrypted and sent, possibly fewer than all; at least one.
  ///
  /// After `.needsReadable` and `.needsWritable` the next call brings the same bytes.
  package func write(_ bytes: UnsafeRawBufferPointer) throws(TLSFailure) -> Outcome {
    let outcome = try outcome(of: SSL_write(library, bytes.baseAddress, Int32(clamping: bytes.count)))
    return outcome == .end ? try ended() : outcome
  }

  /// Tells the peer that nothing more comes, as far as there is room to tell it.
  package func sendEnd() {
    ERR_clear_error()
    SSL_shutdown(library)
    ERR_clear_error()
  }

  private func ended() throws(TLSFailure) -> Outcome { throw .closed }

  private func outcome(of result: Int32) throws(TLSFailure) -> Outcome {
    if result > 0 { return .done(Int(result)) }
    switch SSL_get_error(library, result) {
    case SSL_ERROR_WANT_READ: return .needsReadable
    case SSL_ERROR_WANT_WRITE: return .needsWritable
    case SSL_ERROR_ZERO_RETURN: return .end
    case SSL_ERROR_SYSCALL:
      ERR_clear_error()
      throw .closed
    default:
      let failure = TLSFailure.fromLibrary()
      if isUnknown { throw .unknownIdentity(String(decoding: peerIdentity, as: UTF8.self)) }
      throw failure
    }
  }

  // MARK: Pre-shared keys

  private static func stream(of library: OpaquePointer?) -> TLSStream? {
    guard let library, let data = SSL_get_ex_data(library, 0) else { return nil }
    return Unmanaged<TLSStream>.fromOpaque(data).takeUnretainedValue()
  }

  /// The listener's side: the session behind an identity. An unknown one gets a random key, so that the peer cannot tell.
  static func find(
    _ library: OpaquePointer?, _ identity: UnsafePointer<UInt8>?, _ length: Int,
    _ session: UnsafeMutablePointer<OpaquePointer?>?
  ) -> Int32 {
    guard let library, let stream = stream(of: library), let session,
      case .listen(let find) = stream.credentials
    else { return 0 }
    stream.peerIdentity = Array(UnsafeBufferPointer(start: identity, count: length))
    let known = find(stream.peerIdentity)
    stream.isUnknown = known == nil
    guard let key = known ?? (try? PresharedKey.random()) else { return 0 }
    session.pointee = makeSession(library, key: key)
    return session.pointee == nil ? 0 : 1
  }

  /// The dialler's side: its own identity and session.
  static func use(
    _ library: OpaquePointer?, _ digest: OpaquePointer?, _ identity: UnsafeMutablePointer<UnsafePointer<UInt8>?>?,
    _ length: UnsafeMutablePointer<Int>?, _ session: UnsafeMutablePointer<OpaquePointer?>?
  ) -> Int32 {
    guard let library, let stream = stream(of: library), let session, let identity, let length,
      case .dial(_, let key) = stream.credentials
    else { return 0 }
    identity.pointee = UnsafePointer(stream.ownIdentity.baseAddress)
    length.pointee = stream.ownIdentity.count
    session.pointee = makeSession(library, key: key)
    return session.pointee == nil ? 0 : 1
  }

  private static func makeSession(_ library: OpaquePointer, key: [UInt8]) -> OpaquePointer? {
    // TLS_AES_128_GCM_SHA256: any suite with the same digest may then be chosen.
    let suite: [UInt8] = [0x13, 0x01]
    guard let session = SSL_SESSION_new() else { return nil }
    guard let cipher = SSL_CIPHER_find(library, suite),
      SSL_SESSION_set1_master_key(session, key, key.count) == 1, SSL_SESSION_set_cipher(session, cipher) == 1,
      SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION) == 1
    else {
      SSL_SESSION_free(session)
      return nil
    }
    return session
  }
}
