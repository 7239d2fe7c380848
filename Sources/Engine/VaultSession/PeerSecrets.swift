import VaultCrypto
import VaultModel

/// What a daemon shares with each of its peers.
package struct PeerSecrets: Sendable {
  private let secrets: [String: [UInt8]]

  /// - Parameter peers: names and secrets.
  package init(_ peers: [(name: String, secret: [UInt8])]) {
    secrets = Dictionary(peers.map { ($0.name, $0.secret) }) { first, _ in first }
  }

  package subscript(name: String) -> [UInt8]? { secrets[name] }

  /// The key for an identity under which the peer of a name dials; nil when there is no such peer.
  package func key(of name: String, for identity: PeerIdentity) -> [UInt8]? {
    secrets[name].flatMap { try? PresharedKey.derive(secret: $0, identity: Array(identity.text.utf8)) }
  }
}
