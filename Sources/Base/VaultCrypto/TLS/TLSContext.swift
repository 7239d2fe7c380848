import COpenSSL
import VaultModel

/// What the TLS connections of one role have in common: TLS 1.3 only, two suites, no tickets, no early data.
///
/// - Source: DESIGN "Connections".
package final class TLSContext: @unchecked Sendable {
  /// What sessions by pre-shared key must have in common with a context that verifies certificates, too.
  static let sessionName = Array("vault".utf8)

  // Written in `init` only; the library shares a context between threads.
  let library: OpaquePointer
  /// The certificates that it has; nil for connections by pre-shared key only.
  package let certificates: TLSCertificates?

  /// A context for connections by pre-shared key.
  package convenience init() throws(CryptoError) { self.init(try Self.make(), nil) }

  /// A context for connections by certificates and, on a listener, by pre-shared key: whichever the dialler offers.
  ///
  /// - Throws: `TLSFileError` for the first file that cannot be used, else `CryptoError`.
  package convenience init(certificates: TLSCertificates) throws {
    let library = try Self.make()
    do { try certificates.load(into: library) } catch {
      SSL_CTX_free(library)
      throw error
    }
    self.init(library, certificates)
  }

  private init(_ library: OpaquePointer, _ certificates: TLSCertificates?) {
    self.library = library
    self.certificates = certificates
  }

  deinit { SSL_CTX_free(library) }

  private static func make() throws(CryptoError) -> OpaquePointer {
    guard let context = SSL_CTX_new(TLS_method()) else { throw CryptoError.fromLibrary("SSL_CTX_new") }
    // A key of 256 bits goes with a digest of 256: the suite with SHA-384 would refuse it.
    let suites = "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256"
    guard vault_tls_set_version(context, TLS1_3_VERSION) == 1, SSL_CTX_set_ciphersuites(context, suites) == 1,
      SSL_CTX_set_num_tickets(context, 0) == 1, SSL_CTX_set_max_early_data(context, 0) == 1,
      SSL_CTX_set_session_id_context(context, sessionName, UInt32(sessionName.count)) == 1
    else {
      SSL_CTX_free(context)
      throw CryptoError.fromLibrary("SSL_CTX_set_ciphersuites")
    }
    vault_tls_set_modes(context)
    SSL_CTX_set_client_hello_cb(context, { stream, _, _ in TLSStream.hear(stream) }, nil)
    SSL_CTX_set_psk_find_session_callback(context) { stream, identity, length, session in
      TLSStream.find(stream, identity, length, session)
    }
    SSL_CTX_set_psk_use_session_callback(context) { stream, digest, identity, length, session in
      TLSStream.use(stream, digest, identity, length, session)
    }
    SSL_CTX_set_cert_verify_callback(context, { chain, _ in TLSStream.verify(chain) }, nil)
    return context
  }
}
