import COpenSSL
import VaultModel

/// A cryptographic library call that failed: no memory, or an algorithm the library was built without.
package struct CryptoError: DescribedError {
  /// The library function.
  package let call: String
  /// The library's own message.
  package let reason: String

  package var exitStatus: ExitStatus { .jobFailed }
  package var description: String { "OpenSSL's \(call) failed: \(reason)." }

  /// The library's newest queued error for `call`; empties the queue.
  static func fromLibrary(_ call: String) -> CryptoError {
    let code = ERR_get_error()
    ERR_clear_error()
    var text = [CChar](repeating: 0, count: 256)
    ERR_error_string_n(code, &text, text.count)
    let bytes = text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
    return CryptoError(call: call, reason: String(decoding: bytes, as: UTF8.self))
  }
}
