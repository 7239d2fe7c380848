import COpenSSL
import VaultModel

/// Why a TLS connection could not be made, or ended: one cause, in words for this side's log.
package enum TLSFailure: DescribedError, Hashable {
  /// The peer's first bytes are no TLS.
  case notTLS
  /// The peer offers or wants another version than 1.3.
  case otherVersion
  /// The identity is known and the peer's key is not its key.
  case wrongKey
  /// The listener knows no such identity.
  case unknownIdentity(String)
  /// The peer offers no pre-shared key.
  case noKeyOffered
  /// The listener refused: a wrong key and an unknown name look the same from here.
  case refused
  /// A certificate is missing, expired, by another authority or of another name: which it is, for a sentence.
  case certificate(String)
  /// The peer went away in the middle.
  case closed
  /// The peer damaged or replayed what it sent, or broke the protocol.
  case broken(String)

  package var exitStatus: ExitStatus { .unreachable }

  package var description: String {
    switch self {
    case .notTLS: "The peer speaks no TLS: it calls the wrong port, or its TLS is off."
    case .otherVersion: "The peer does not speak TLS 1.3."
    case .wrongKey: "The peer's password is not the one configured here for its name."
    case .unknownIdentity(let identity): "The peer calls itself '\(identity)', which nothing configured here goes by."
    case .noKeyOffered: "The peer offers no pre-shared key: it is no Vault, or it is configured for certificates."
    case .refused: "The listener refused the key: the password or the name differs from what is configured there."
    case .certificate(let reason): "The certificates do not do: \(reason)."
    case .closed: "The peer ended the connection before it was authenticated or without saying so."
    case .broken(let reason): "The peer broke the TLS protocol: \(reason)."
    }
  }

  /// Whether a configuration is to be changed before another connection can do better.
  package var isMistake: Bool {
    switch self {
    case .notTLS, .otherVersion, .wrongKey, .unknownIdentity, .noKeyOffered, .refused, .certificate: true
    case .closed, .broken: false
    }
  }

  /// Takes the library's queued errors as one cause.
  static func fromLibrary(_ credentials: TLSCredentials) -> TLSFailure {
    // The first error is the cause; later ones are what followed from it.
    let code = ERR_get_error()
    ERR_clear_error()
    let alert = vault_error_alert(code)
    if alert >= 0 { return fromAlert(alert, credentials) }
    guard vault_error_library(code) == Int32(ERR_LIB_SSL) else { return .broken(text(code)) }
    switch vault_error_reason(code) {
    case Int32(SSL_R_WRONG_VERSION_NUMBER), Int32(SSL_R_HTTP_REQUEST), Int32(SSL_R_HTTPS_PROXY_REQUEST),
      Int32(SSL_R_PACKET_LENGTH_TOO_LONG), Int32(SSL_R_ENCRYPTED_LENGTH_TOO_LONG), Int32(SSL_R_BAD_RECORD_TYPE):
      return .notTLS
    case Int32(SSL_R_UNSUPPORTED_PROTOCOL), Int32(SSL_R_NO_PROTOCOLS_AVAILABLE), Int32(SSL_R_VERSION_TOO_LOW),
      Int32(SSL_R_UNKNOWN_PROTOCOL), Int32(SSL_R_BAD_PROTOCOL_VERSION_NUMBER):
      return .otherVersion
    case Int32(SSL_R_BINDER_DOES_NOT_VERIFY), Int32(SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC),
      Int32(SSL_R_BAD_PSK):
      return .wrongKey
    case Int32(SSL_R_PSK_IDENTITY_NOT_FOUND), Int32(SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM),
      Int32(SSL_R_NO_SHARED_CIPHER), Int32(SSL_R_MISSING_PSK_KEX_MODES_EXTENSION), Int32(SSL_R_NO_CERTIFICATE_SET):
      return .noKeyOffered
    case Int32(SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE): return .certificate("the peer sent none")
    case Int32(SSL_R_CERTIFICATE_VERIFY_FAILED): return .certificate(text(code))
    case Int32(SSL_R_UNEXPECTED_EOF_WHILE_READING):
      return .closed
    default: return .broken(text(code))
    }
  }

  private static func fromAlert(_ number: Int32, _ credentials: TLSCredentials) -> TLSFailure {
    if let reason = CertificateProblem.text(alert: number) { return .certificate(reason) }
    switch number {
    case SSL_AD_PROTOCOL_VERSION: return .otherVersion
    // What a listener answers to a wrong binder, and to an identity it does not find.
    case SSL_AD_ILLEGAL_PARAMETER, SSL_AD_DECRYPT_ERROR, SSL_AD_HANDSHAKE_FAILURE, SSL_AD_UNKNOWN_PSK_IDENTITY:
      if case .dialByCertificate = credentials {
        return .certificate("the listener has none: there it goes by passwords")
      }
      return .refused
    default: return .broken("alert \(number)")
    }
  }

  private static func text(_ code: UInt) -> String {
    guard let reason = ERR_reason_error_string(code) else { return "error \(code)" }
    return String(cString: reason)
  }
}
