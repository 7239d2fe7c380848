import COpenSSL
import VaultModel

/// The keys that TLS authenticates connections with.
///
/// - Source: DESIGN "Connections".
package enum PresharedKey {
  package static let byteCount = 32

  /// The key of one pair of peers: HKDF-SHA256 without salt over a secret, with the identity as information.
  package static func derive(secret: [UInt8], identity: [UInt8]) throws(CryptoError) -> [UInt8] {
    guard let context = EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, nil) else {
      throw CryptoError.fromLibrary("EVP_PKEY_CTX_new_id")
    }
    defer { EVP_PKEY_CTX_free(context) }
    var key = [UInt8](repeating: 0, count: byteCount)
    var length = key.count
    guard EVP_PKEY_derive_init(context) == 1, EVP_PKEY_CTX_set_hkdf_md(context, EVP_sha256()) == 1,
      EVP_PKEY_CTX_set1_hkdf_key(context, secret, Int32(clamping: secret.count)) == 1,
      EVP_PKEY_CTX_add1_hkdf_info(context, identity, Int32(clamping: identity.count)) == 1,
      EVP_PKEY_derive(context, &key, &length) == 1, length == key.count
    else { throw CryptoError.fromLibrary("EVP_PKEY_derive") }
    return key
  }

  /// The secret behind a typed password: scrypt, a tenth of a second of work.
  package static func secret(password: [UInt8]) throws(CryptoError) -> [UInt8] {
    try scrypt(password, salt: Array("vault-psk-1".utf8), cost: 1 << 15)
  }

  /// What tells whether a password is the one that a cached secret was made of: scrypt with a random salt, a few milliseconds of work,
  /// so that who has it tries passwords at that rate and not at a digest's.
  package static func tag(password: [UInt8], salt: [UInt8]) throws(CryptoError) -> [UInt8] {
    try scrypt(password, salt: salt, cost: 1 << 10)
  }

  private static func scrypt(_ password: [UInt8], salt: [UInt8], cost: UInt64) throws(CryptoError) -> [UInt8] {
    var derived = [UInt8](repeating: 0, count: byteCount)
    // The work takes up to 32 MiB; the library's own limit is just below.
    let memoryLimit: UInt64 = 64 << 20
    let result = password.withUnsafeBytes { password in
      EVP_PBE_scrypt(
        password.baseAddress?.assumingMemoryBound(to: CChar.self), password.count, salt, salt.count, cost, 8, 1,
        memoryLimit, &derived, derived.count)
    }
    guard result == 1 else { throw CryptoError.fromLibrary("EVP_PBE_scrypt") }
    return derived
  }

  /// Fresh random bytes, fit for a key.
  package static func random(byteCount: Int = PresharedKey.byteCount) throws(CryptoError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: byteCount)
    guard RAND_priv_bytes(&bytes, Int32(byteCount)) == 1 else { throw CryptoError.fromLibrary("RAND_priv_bytes") }
    return bytes
  }
}
