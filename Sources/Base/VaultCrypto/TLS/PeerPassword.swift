/// What a configuration gives as a password. It describes itself without telling what it is.
package enum PeerPassword: Hashable, Sendable, CustomStringConvertible {
  /// The secret itself, `PresharedKey.byteCount` bytes.
  case key([UInt8])
  /// What a person thought of: the secret is derived from it.
  case typed([UInt8])

  package var description: String {
    switch self {
    case .key: "a key"
    case .typed: "a typed password"
    }
  }
}
