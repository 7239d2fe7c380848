import VaultModel

/// The secret that two daemons share. It describes itself without telling what it is.
package enum Password: Hashable, Sendable, CustomStringConvertible {
  /// A key of 32 bytes, written as `key:` and its base64.
  case key([UInt8])
  /// What a person thought of.
  case typed([UInt8])

  package static let keyByteCount = 32
  private static let keyPrefix = Array("key:".utf8)
  /// What a typed password may have.
  private static let typedByteCounts = 1...1_024

  static let expectation =
    "\"key:\" and the base64 of \(keyByteCount) bytes in quotes, or a typed password of 1 to 1024 bytes"

  /// Reads a password as a configuration writes it; nil for a key that is none, and for nothing.
  package init?(reading text: ByteString) {
    if text.bytes.starts(with: Self.keyPrefix) {
      guard text.count < 100, let key = Base64.decode(text.bytes.dropFirst(Self.keyPrefix.count)),
        key.count == Self.keyByteCount
      else {
        return nil
      }
      self = .key(key)
    } else {
      guard Self.typedByteCounts.contains(text.count) else { return nil }
      self = .typed(text.bytes)
    }
  }

  /// The form that a key has in a configuration, where it stands in quotes.
  static func keyText(_ key: [UInt8]) -> String { "key:" + Base64.encode(key) }

  package var description: String {
    switch self {
    case .key: "a key"
    case .typed: "a typed password"
    }
  }
}
