import VaultConfiguration
import VaultCrypto
import VaultModel
import VaultProtocol

/// The peers that a configuration names: how each is authenticated, and on which terms.
package struct PeerBook: Sendable {
  private let peers: [String: PeerParameters]
  private let secrets: SecretStore
  /// What this side shows where a peer goes by certificates; by the peer's name where its resource has files of its own.
  private let ownCertificates: TLSContext?
  private let certificates: [String: TLSContext]

  /// - Parameters:
  ///   - own: the daemon's own directives for TLS.
  /// - Throws: `TLSFileError`, `CryptoError`.
  package init(_ peers: [PeerParameters], own: TLSParameters?, secrets: SecretStore) throws {
    self.peers = Dictionary(peers.map { ($0.name, $0) }) { first, _ in first }
    self.secrets = secrets
    ownCertificates = try own?.certificates.map { try TLSContext(certificates: $0) }
    var certificates: [String: TLSContext] = [:]
    for peer in peers where peer.password == nil {
      if let files = peer.tls.certificates { certificates[peer.name] = try TLSContext(certificates: files) }
    }
    self.certificates = certificates
  }

  // MARK: Listening

  /// What is configured for a peer that says its name; nil when there is none of that name.
  package func terms(of name: String) -> PeerTerms? { peers[name]?.terms }

  /// Finds the key of a peer that dials in, for `TLSListener`; does not block.
  package func findKey(
    of name: String, for identity: PeerIdentity, tell: @escaping @Sendable ([UInt8]?) -> Void
  ) {
    guard let password = peers[name]?.password else { return tell(nil) }
    secrets.key(of: password, name: name, for: identity, tell: tell)
  }

  // MARK: Dialling

  /// Whether a peer can be dialled: there is a password, or a certificate to show.
  package func hasCredentials(for name: String) -> Bool {
    peers[name].map { $0.password != nil || certificates[name] != nil || ownCertificates != nil } ?? false
  }

  /// Dials a peer, authenticates, and says hello.
  ///
  /// - Parameter identity: what this side is to the peer, which is the listener.
  package func dial(
    _ network: Network, host: String, port: UInt16, identity: PeerIdentity
  ) async throws -> Channel {
    guard let peer = peers[identity.listenerName] else {
      throw TransportError(.refused("Nothing configured here goes by that name."), peer: identity.listenerName)
    }
    let (leavesTLS, isForced) = (peer.tls.leavesAfterAuthentication, peer.tls.leavesAnywhere)
    if let password = peer.password {
      let secret = try await secrets.secret(of: password, name: peer.name)
      return try await network.dial(
        host: host, port: port, identity: identity, secret: secret, leavesTLS: leavesTLS,
        isForced: isForced, heartbeat: peer.heartbeatSeconds)
    }
    guard let context = certificates[peer.name] ?? ownCertificates else {
      throw TransportError(.refused("There is neither a password nor a certificate for it."), peer: peer.name)
    }
    return try await network.dial(
      host: host, port: port, identity: identity, certificates: context, allowedNames: peer.tls.allowedCommonNames,
      leavesTLS: leavesTLS, isForced: isForced, heartbeat: peer.heartbeatSeconds)
  }

  // MARK: Warnings

  /// What a daemon says at its start about peers whose connections are not encrypted.
  package var warnings: [String] {
    peers.values.filter(\.tls.leavesAfterAuthentication).map(\.name).sorted().map { name in
      Hello.warning(leavingTLSWith: name)
    }
  }
}

extension SecretStore {
  /// The store of a daemon, in its working directory.
  package convenience init(
    workingDirectory: ByteString, onProblem: @escaping @Sendable (String) -> Void
  ) {
    self.init(path: ByteString(workingDirectory.bytes + Array("/secrets".utf8)), onProblem: onProblem)
  }
}
