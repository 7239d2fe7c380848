import VaultModel

/// How the peer of a connection has proved who it is.
package enum PeerAuthentication: Hashable, Sendable {
  /// It knows the key of this identity, under which the dialler calls.
  case presharedKey(ByteString)
  /// It has the key of a certificate that an authority vouches for.
  case certificate(PeerCertificate)
  /// Not at all: this side is configured not to verify certificates.
  case unverified
}

/// How one connection is to be authenticated.
package enum TLSCredentials: Sendable {
  /// This side dials: the identity it has for the listener, and the key derived from it. A certificate is never accepted instead.
  case dial(identity: [UInt8], key: [UInt8])
  /// This side dials with the context's certificate, and wants one that has one of these names.
  case dialByCertificate(names: [ByteString])
  /// This side listens: by the key of an identity, or by the context's certificates if it has them, as the dialler offers.
  case listen
}
