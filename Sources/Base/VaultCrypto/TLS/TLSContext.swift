import COpenSSL
import VaultModel

/// What the TLS connections of one role have in common: TLS 1.3 only, two suites, no tickets, no early data.
///
/// - Source: DESIGN "Connections".
package final class TLSContext: @unchecked Sendable {
  // Written in `init` only; the library shares a context between threads.
  let library: OpaquePointer

  /// A context for connections by pre-shared key.
  package init() throws(CryptoError) {
    guard let context = SSL_CTX_new(TLS_method()) else { throw CryptoError.fromLibrary("SSL_CTX_new") }
    library = context
    // A key of 256 bits goes with a digest of 256: the suite with SHA-384 would refuse it.
    let suites = "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256"
    guard vault_tls_set_version(context, TLS1_3_VERSION) == 1, SSL_CTX_set_ciphersuites(context, suites) == 1,
      SSL_CTX_set_num_tickets(context, 0) == 1, SSL_CTX_set_max_early_data(context, 0) == 1
    else { throw CryptoError.fromLibrary("SSL_CTX_set_ciphersuites") }
    vault_tls_set_modes(context)
    SSL_CTX_set_psk_find_session_callback(context) { stream, identity, length, session in
      TLSStream.find(stream, identity, length, session)
    }
    SSL_CTX_set_psk_use_session_callback(context) { stream, digest, identity, length, session in
      TLSStream.use(stream, digest, identity, length, session)
    }
  }

  deinit { SSL_CTX_free(library) }
}

/// How one connection is authenticated.
package enum TLSCredentials: Sendable {
  /// This side dials: the identity it has for the listener, and the key derived from it.
  case dial(identity: [UInt8], key: [UInt8])
  /// This side listens: the key of an identity, nil when nothing goes by it.
  case listen(@Sendable (_ identity: [UInt8]) -> [UInt8]?)
}
