import COpenSSL
import Glibc
import VaultModel

/// The files by which one side shows and checks certificates.
package struct TLSCertificates: Hashable, Sendable {
  /// This side's certificate, followed by those that lead to its authority, in PEM form.
  package var certificatePath: ByteString
  /// The certificate's private key in PEM form, without a passphrase.
  package var keyPath: ByteString
  /// The authorities that the peer's certificate must descend from, in PEM form; nil only where nothing is verified.
  package var authoritiesPath: ByteString?
  /// Whether the peer must show a certificate that is checked; without it a listener does not know who dials.
  package var verifiesPeer: Bool

  package init(
    certificatePath: ByteString, keyPath: ByteString, authoritiesPath: ByteString?, verifiesPeer: Bool = true
  ) {
    self.certificatePath = certificatePath
    self.keyPath = keyPath
    self.authoritiesPath = authoritiesPath
    self.verifiesPeer = verifiesPeer
  }

  /// Reads the files into a context.
  func load(into context: OpaquePointer) throws(TLSFileError) {
    // A daemon has nobody to ask for a passphrase.
    SSL_CTX_set_default_passwd_cb(context) { _, _, _, _ in -1 }
    guard SSL_CTX_use_certificate_chain_file(context, Self.name(certificatePath)) == 1 else {
      throw .fromLibrary(certificatePath, holds: "certificate")
    }
    guard SSL_CTX_use_PrivateKey_file(context, Self.name(keyPath), SSL_FILETYPE_PEM) == 1 else {
      throw .fromLibrary(keyPath, holds: "private key of the certificate in \(certificatePath.displayText)")
    }
    guard let authoritiesPath else {
      if verifiesPeer {
        throw TLSFileError(path: certificatePath, reason: "no file of authorities is given to check the peer's against")
      }
      return
    }
    guard SSL_CTX_load_verify_file(context, Self.name(authoritiesPath)) == 1 else {
      throw .fromLibrary(authoritiesPath, holds: "certificate of an authority")
    }
  }

  /// A path as the library takes it.
  private static func name(_ path: ByteString) -> [CChar] { path.bytes.map { CChar(bitPattern: $0) } + [0] }
}

/// A certificate or key that cannot be used.
package struct TLSFileError: DescribedError, Hashable {
  package let path: ByteString
  let reason: String

  package var exitStatus: ExitStatus { .usage }
  package var description: String { "\(path.displayText): \(reason)." }

  /// Takes the library's queued errors as one cause.
  static func fromLibrary(_ path: ByteString, holds what: String) -> TLSFileError {
    // The last error says how it ended, an earlier one of the system why.
    var reason = "it holds no \(what) in PEM form"
    while true {
      let code = ERR_get_error()
      if code == 0 { break }
      let number = vault_error_system(code)
      if number != 0 { reason = "it cannot be read: \(String(cString: strerror(number)))" }
      guard number == 0 else { continue }
      switch (vault_error_library(code), vault_error_reason(code)) {
      case (Int32(ERR_LIB_X509), Int32(X509_R_KEY_VALUES_MISMATCH)),
        (Int32(ERR_LIB_X509), Int32(X509_R_KEY_TYPE_MISMATCH)):
        reason = "it does not hold the \(what), but another key"
      case (Int32(ERR_LIB_PEM), Int32(PEM_R_BAD_PASSWORD_READ)):
        reason = "its key has a passphrase, which nobody is there to type"
      case (Int32(ERR_LIB_SSL), Int32(SSL_R_EE_KEY_TOO_SMALL)), (Int32(ERR_LIB_SSL), Int32(SSL_R_CA_MD_TOO_WEAK)):
        reason = "its key or its signature is too weak"
      default: continue
      }
    }
    return TLSFileError(path: path, reason: reason)
  }
}
