import VaultCrypto
import VaultModel

/// What a listener's configuration says of a peer, once its hello has told which.
package struct PeerTerms: Hashable, Sendable {
  /// Whether TLS ends with the hello; both sides must be configured so.
  package var leavesTLS: Bool
  /// Whether TLS may end on the way through a public network, too.
  package var isForced: Bool
  /// Whether a certificate may stand for the password.
  package var takesCertificate: Bool
  /// Names of which the peer's certificate must have one; when empty, the one that it claims.
  package var allowedNames: [ByteString]
  /// Whether the peer must have proved who it is; without it a dialler that shows no certificate is believed what it says.
  package var verifiesPeer: Bool
  /// After how many seconds without a byte the connection carries a sign of life; nil for the listener's own value.
  package var heartbeatSeconds: UInt64?

  package init(
    leavesTLS: Bool = false, isForced: Bool = false, takesCertificate: Bool = true, allowedNames: [ByteString] = [],
    verifiesPeer: Bool = true,
    heartbeatSeconds: UInt64? = nil
  ) {
    self.heartbeatSeconds = heartbeatSeconds
    self.leavesTLS = leavesTLS
    self.isForced = isForced
    self.takesCertificate = takesCertificate
    self.allowedNames = allowedNames
    self.verifiesPeer = verifiesPeer
  }
}

extension Hello {
  /// Decides whether this side, which listens, talks to a peer that says it is `peer`.
  ///
  /// - Parameters:
  ///   - authentication: how the peer has proved who it is; nil inside one process, where nobody has to.
  ///   - terms: those configured for a peer of this role and name; nil when nothing goes by it.
  ///   - isPrivate: whether no public network is on the way to it.
  package func admit(
    _ peer: Hello, authentication: PeerAuthentication?, allowing allowed: Set<PeerRole>, terms: PeerTerms?,
    isPrivate: Bool = true
  ) throws(HelloRefusal) {
    guard allowed.contains(peer.role) else { throw .role(peer.role, listener: role) }
    switch authentication {
    case nil: break
    case .presharedKey(let bytes): try admit(peer, calling: bytes)
    case .certificate, .unverified: break
    }
    guard let terms else { throw .unknown(peer.role, name: peer.name) }
    switch authentication {
    case nil, .presharedKey: break
    case .certificate(let certificate): try admit(peer, showing: certificate, terms)
    case .unverified:
      guard terms.takesCertificate, !terms.verifiesPeer else { throw .unproved(name: peer.name) }
    }
    guard peer.leavesTLS == terms.leavesTLS else { throw .encryption(leavesDialler: peer.leavesTLS) }
    if peer.leavesTLS, !terms.isForced, !isPrivate { throw .publicNetwork(name: peer.name) }
  }

  private func admit(_ peer: Hello, calling bytes: ByteString) throws(HelloRefusal) {
    guard let identity = PeerIdentity(bytes) else { throw .unproved(name: peer.name) }
    guard identity.dialler == peer.role, identity.diallerName == peer.name else {
      let proved = "\(identity.dialler.rawValue) \(HelloRefusal.quoted(identity.diallerName))"
      throw .otherPeer(claimed: peer.role, peer.name, proved: "the \(proved)")
    }
    guard identity.listener == role, identity.listenerName == name else {
      throw .otherListener(identity.listener, identity.listenerName)
    }
    guard identity.hasPlausiblePurpose else { throw .purpose(peer.role, listener: role) }
  }

  private func admit(_ peer: Hello, showing certificate: PeerCertificate, _ terms: PeerTerms) throws(HelloRefusal) {
    guard terms.takesCertificate else { throw .needsPassword(name: peer.name) }
    let names = terms.allowedNames.isEmpty ? [ByteString(peer.name)] : terms.allowedNames
    guard names.contains(where: { certificate.isFor($0) }) else {
      throw .otherPeer(
        claimed: peer.role, peer.name, proved: "the one whose certificate is of \(certificate.displayText)")
    }
  }
}
