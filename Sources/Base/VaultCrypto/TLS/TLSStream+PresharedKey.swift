import COpenSSL
import VaultModel

/// Authentication by pre-shared key: what the library asks for during the handshake.
extension TLSStream {
  /// The listener's side: notes the identity that the dialler's first message offers, and pauses until its key was looked up.
  static func hear(_ library: OpaquePointer?) -> Int32 {
    guard let library, let stream = stream(of: library) else { return SSL_CLIENT_HELLO_ERROR }
    var bytes: UnsafePointer<UInt8>?
    var count = 0
    guard SSL_client_hello_get0_ext(library, UInt32(TLSEXT_TYPE_psk), &bytes, &count) == 1 else {
      return SSL_CLIENT_HELLO_SUCCESS
    }
    guard let identity = PresharedKeyOffer.firstIdentity(UnsafeRawBufferPointer(start: bytes, count: count)) else {
      return SSL_CLIENT_HELLO_ERROR
    }
    return stream.offered(identity) ? SSL_CLIENT_HELLO_SUCCESS : SSL_CLIENT_HELLO_RETRY
  }

  /// The listener's side: the session behind an identity. An unknown one gets a random key, so that the peer cannot tell.
  static func find(
    _ library: OpaquePointer?, _ identity: UnsafePointer<UInt8>?, _ length: Int,
    _ session: UnsafeMutablePointer<OpaquePointer?>?
  ) -> Int32 {
    guard let library, let stream = stream(of: library), let session,
      let key = stream.key(of: Array(UnsafeBufferPointer(start: identity, count: length)))
    else { return 0 }
    session.pointee = makeSession(library, key: key)
    return session.pointee == nil ? 0 : 1
  }

  /// The dialler's side: its own identity and session, or none where it has a certificate.
  static func use(
    _ library: OpaquePointer?, _ digest: OpaquePointer?, _ identity: UnsafeMutablePointer<UnsafePointer<UInt8>?>?,
    _ length: UnsafeMutablePointer<Int>?, _ session: UnsafeMutablePointer<OpaquePointer?>?
  ) -> Int32 {
    guard let library, let stream = stream(of: library), let session, let identity, let length else { return 0 }
    guard case .dial(_, let key) = stream.credentials else {
      session.pointee = nil
      return 1
    }
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
      SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION) == 1,
      SSL_SESSION_set1_id_context(session, TLSContext.sessionName, UInt32(TLSContext.sessionName.count)) == 1
    else {
      SSL_SESSION_free(session)
      return nil
    }
    return session
  }
}
