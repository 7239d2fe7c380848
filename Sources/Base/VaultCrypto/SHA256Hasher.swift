import COpenSSL
import Synchronization
import VaultModel

/// A SHA-256 computation that is used again for one content after another.
///
/// One hasher belongs to one thread; it allocates once, at `init`.
package struct SHA256Hasher: ~Copyable {
  /// The library's SHA-256.
  private struct Algorithm: @unchecked Sendable {
    // It never changes, and what the library counts of it is atomic.
    let pointer: OpaquePointer
  }

  /// Looked up once and never freed: threads that look for it at the same time would each make all of the library's digests.
  private static let algorithm = Mutex<Algorithm?>(nil)

  private let algorithm: Algorithm
  private let context: OpaquePointer

  /// - Throws: `CryptoError` when the library has no SHA-256 or no memory.
  package init() throws(CryptoError) {
    let algorithm = try Self.findAlgorithm()
    guard let context = EVP_MD_CTX_new() else { throw CryptoError.fromLibrary("EVP_MD_CTX_new") }
    self.algorithm = algorithm
    self.context = context
  }

  private static func findAlgorithm() throws(CryptoError) -> Algorithm {
    try algorithm.withLock { known throws(CryptoError) in
      if let known { return known }
      guard let found = EVP_MD_fetch(nil, "SHA256", nil) else { throw CryptoError.fromLibrary("EVP_MD_fetch") }
      let algorithm = Algorithm(pointer: found)
      known = algorithm
      return algorithm
    }
  }

  deinit { EVP_MD_CTX_free(context) }

  /// Begins a new digest; what was added before is forgotten.
  package mutating func begin() throws(CryptoError) {
    guard EVP_DigestInit_ex2(context, algorithm.pointer, nil) == 1 else {
      throw CryptoError.fromLibrary("EVP_DigestInit_ex2")
    }
  }

  /// Adds bytes to the digest.
  package mutating func update(_ bytes: UnsafeRawBufferPointer) throws(CryptoError) {
    guard let base = bytes.baseAddress, bytes.count > 0 else { return }
    guard EVP_DigestUpdate(context, base, bytes.count) == 1 else { throw CryptoError.fromLibrary("EVP_DigestUpdate") }
  }

  /// Ends the digest; `begin` comes before the next one.
  package mutating func finish() throws(CryptoError) -> Digest256 {
    var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
    var length: UInt32 = 0
    let finished = withUnsafeMutableBytes(of: &words) { out in
      EVP_DigestFinal_ex(context, out.baseAddress?.assumingMemoryBound(to: UInt8.self), &length)
    }
    guard finished == 1, length == 32 else { throw CryptoError.fromLibrary("EVP_DigestFinal_ex") }
    return Digest256(
      words: (
        UInt64(bigEndian: words.0), UInt64(bigEndian: words.1), UInt64(bigEndian: words.2), UInt64(bigEndian: words.3)
      ))
  }
}
