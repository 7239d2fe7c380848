import COpenSSL
import VaultModel

/// Authentication by certificate: what the library asks for during the handshake.
extension TLSStream {
  /// Whether the peer's certificate is accepted; the reason against it is noted for the log.
  static func verify(_ chain: OpaquePointer?) -> Int32 {
    guard let chain,
      let library = X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx()),
      let stream = stream(of: OpaquePointer(library))
    else { return 0 }
    guard let problem = stream.problem(of: chain) else { return 1 }
    stream.certificateProblem = problem.reason
    X509_STORE_CTX_set_error(chain, problem.code)
    return 0
  }

  /// What is wrong with a peer's certificate: the library's code, which chooses the alert, and the words.
  private func problem(of chain: OpaquePointer) -> (code: Int32, reason: String)? {
    if case .dial = credentials {
      return (X509_V_ERR_CERT_REJECTED, "the listener showed one in place of proving that it knows the password")
    }
    let peer = X509_STORE_CTX_get0_cert(chain).map { PeerCertificate($0) }
    guard X509_verify_cert(chain) == 1 else {
      let code = X509_STORE_CTX_get_error(chain)
      return (code, CertificateProblem.text(code, of: peer))
    }
    if case .dialByCertificate(let names) = credentials, !names.contains(where: { peer?.isFor($0) == true }) {
      let wanted = names.map { "'\($0.displayText)'" }.joined(separator: " or ")
      return (X509_V_ERR_HOSTNAME_MISMATCH, "the listener's is of \(peer?.displayText ?? "nobody"), not of \(wanted)")
    }
    return nil
  }
}

/// The words for what can be wrong with a certificate.
enum CertificateProblem {
  /// Why the library does not accept a peer's.
  static func text(_ code: Int32, of peer: PeerCertificate?) -> String {
    let whose = "the peer's, of \(peer?.displayText ?? "nobody"),"
    return switch code {
    case X509_V_ERR_CERT_HAS_EXPIRED: "\(whose) or its authority's has expired"
    case X509_V_ERR_CERT_NOT_YET_VALID: "\(whose) or its authority's is not valid yet: compare both clocks"
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
      X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT,
      X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, X509_V_ERR_CERT_SIGNATURE_FAILURE:
      "\(whose) is by another authority than those configured here"
    case X509_V_ERR_INVALID_PURPOSE: "\(whose) is not made for this side of a connection"
    default: "\(whose) does not stand the check: \(String(cString: X509_verify_cert_error_string(Int(code))))"
    }
  }

  /// What the peer's alert says of this side's; nil for an alert that is not about certificates.
  static func text(alert: Int32) -> String? {
    switch alert {
    case SSL_AD_CERTIFICATE_EXPIRED: "the peer says that ours has expired"
    case SSL_AD_CERTIFICATE_REVOKED: "the peer says that ours was revoked"
    case SSL_AD_UNKNOWN_CA: "the peer says that ours is by another authority than those configured there"
    case SSL_AD_CERTIFICATE_REQUIRED: "the peer wants one, and this side has sent none"
    case SSL_AD_BAD_CERTIFICATE, SSL_AD_CERTIFICATE_UNKNOWN, SSL_AD_UNSUPPORTED_CERTIFICATE:
      "the peer does not accept ours, for a reason that its own log tells"
    default: nil
    }
  }
}
