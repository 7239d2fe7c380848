import VaultConfiguration
import VaultCrypto

extension Password {
  /// The secret that both ends derive keys from; of a typed password a tenth of a second of work.
  package func secret() throws(CryptoError) -> [UInt8] {
    switch self {
    case .key(let bytes): bytes
    case .typed(let bytes): try PresharedKey.secret(password: bytes)
    }
  }
}

extension PeerSecrets {
  /// - Parameter peers: those without a password go by certificates, and have no secret.
  package init(_ peers: [PeerParameters]) throws(CryptoError) {
    var secrets: [(name: String, secret: [UInt8])] = []
    for peer in peers {
      if let password = peer.password { secrets.append((peer.name, try password.secret())) }
    }
    self.init(secrets)
  }
}
