import Glibc

/// Addresses that no router of the public network forwards: those of this machine, of a link and of private networks.
package enum PrivateNetwork {
  /// Whether an address belongs to one; nil for what is no numeric address.
  ///
  /// - Parameter text: `10.0.0.1`, `fd00::1`, `fe80::1%eth0`.
  /// - Source: RFC 1122 (127/8), RFC 1918, RFC 3927 (169.254/16), RFC 4193 (fc00::/7), RFC 4291 (::1, fe80::/10).
  package static func contains(_ text: String) -> Bool? {
    guard !text.utf8.contains(0) else { return nil }
    let address =
      text.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false).first.map(String.init) ?? ""
    var bytes = [UInt8](repeating: 0, count: 16)
    if inet_pton(AF_INET, address, &bytes) == 1 { return contains(Array(bytes.prefix(4))[...]) }
    guard inet_pton(AF_INET6, address, &bytes) == 1 else { return nil }
    let isMapped = bytes.prefix(10).allSatisfy { $0 == 0 } && bytes[10] == 0xff && bytes[11] == 0xff
    if isMapped { return contains(bytes[12...]) }
    let isLoopback = bytes.dropLast().allSatisfy { $0 == 0 } && bytes[15] == 1
    return isLoopback || bytes[0] & 0xfe == 0xfc || bytes[0] == 0xfe && bytes[1] & 0xc0 == 0x80
  }

  private static func contains(_ bytes: ArraySlice<UInt8>) -> Bool {
    let (first, second) = (bytes[bytes.startIndex], bytes[bytes.startIndex + 1])
    return switch (first, second) {
    case (127, _), (10, _), (192, 168), (169, 254): true
    default: first == 172 && second & 0xf0 == 16
    }
  }
}
