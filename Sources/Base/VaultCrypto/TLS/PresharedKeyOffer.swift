/// What a dialler offers in its first message.
///
/// - Source: RFC 8446, section 4.2.11.
package enum PresharedKeyOffer {
  /// The first identity of the extension `pre_shared_key`; nil when the bytes are none.
  package static func firstIdentity(_ extensionBytes: UnsafeRawBufferPointer) -> [UInt8]? {
    // The length of all identities, then that of the first; each identity has an age of four bytes behind it.
    guard extensionBytes.count >= 4 else { return nil }
    let all = Int(extensionBytes[0]) << 8 | Int(extensionBytes[1])
    let length = Int(extensionBytes[2]) << 8 | Int(extensionBytes[3])
    guard length > 0, length + 6 <= all, all + 2 <= extensionBytes.count else { return nil }
    return Array(extensionBytes[4..<4 + length])
  }
}
