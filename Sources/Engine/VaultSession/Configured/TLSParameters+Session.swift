import VaultConfiguration
import VaultCrypto

extension TLSParameters {
  /// The files of a side that shows a certificate; nil where passwords do.
  package var certificates: TLSCertificates? {
    guard let certificate, let key else { return nil }
    return TLSCertificates(
      certificatePath: certificate, keyPath: key, authoritiesPath: certificateAuthorities, verifiesPeer: verifiesPeer)
  }
}

extension PeerParameters {
  /// What a listener holds this peer to, once its hello has told who it is.
  package var terms: PeerTerms {
    PeerTerms(
      leavesTLS: tls.leavesAfterAuthentication, isForced: tls.leavesAnywhere, takesCertificate: password == nil,
      allowedNames: tls.allowedCommonNames, verifiesPeer: tls.verifiesPeer, heartbeatSeconds: heartbeatSeconds)
  }
}
