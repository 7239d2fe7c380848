import Glibc
import VaultModel

/// A host as it is dialled: by name or by address.
package struct HostAddress: Hashable, Sendable, CustomStringConvertible {
  package enum Form: Sendable {
    case name
    case ipv4
    case ipv6
  }

  package let form: Form
  /// The name or the address, an IPv6 address without brackets.
  package let text: String

  /// Reads a host; an IPv6 address may stand in brackets. nil for anything else, also when a port follows.
  package init?(reading written: String) {
    var text = Substring(written)
    let hasBrackets = text.first == "[" && text.last == "]"
    if hasBrackets { text = text.dropFirst().dropLast() }
    self.text = String(text)
    if Self.isIPv6(self.text) {
      form = .ipv6
    } else if hasBrackets {
      return nil
    } else if Self.isIPv4(self.text) {
      form = .ipv4
    } else if Self.isName(self.text) {
      form = .name
    } else {
      return nil
    }
  }

  /// Whether it stands for every address of a machine.
  var isUnspecified: Bool { form != .name && text.utf8.allSatisfy { $0 == 0x30 || $0 == 0x2e || $0 == 0x3a } }

  /// As it stands before a port.
  package var description: String { form == .ipv6 ? "[\(text)]" : text }

  private static func isIPv4(_ text: String) -> Bool {
    var address = in_addr()
    return isPlain(text) && inet_pton(AF_INET, text, &address) == 1
  }

  /// An IPv6 address, with or without a zone such as `%eth0`.
  private static func isIPv6(_ text: String) -> Bool {
    let parts = text.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
    guard isPlain(text), let first = parts.first else { return false }
    if parts.count == 2 {
      guard (1...15).contains(parts[1].utf8.count),
        parts[1].utf8.allSatisfy({ isLetterOrDigit($0) || "._-".utf8.contains($0) })
      else {
        return false
      }
    }
    var address = in6_addr()
    return inet_pton(AF_INET6, String(first), &address) == 1
  }

  /// A host name of RFC 1123, underscores allowed. One whose last label is a number is a mistyped address.
  private static func isName(_ text: String) -> Bool {
    guard text.utf8.count <= 253 else { return false }
    let labels = (text.hasSuffix(".") ? text.dropLast() : Substring(text)).split(
      separator: ".", omittingEmptySubsequences: false)
    guard let last = labels.last, last.utf8.contains(where: { !(0x30...0x39).contains($0) }) else { return false }
    return labels.allSatisfy { label in
      (1...63).contains(label.utf8.count) && label.utf8.allSatisfy { isLetterOrDigit($0) || $0 == 0x2d || $0 == 0x5f }
        && label.utf8.first != 0x2d && label.utf8.last != 0x2d
    }
  }

  /// Nothing that a C function would take for the end.
  private static func isPlain(_ text: String) -> Bool { text.utf8.count <= 64 && !text.utf8.contains(0) }

  private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
  }
}

/// Where a daemon listens: `*`, `10.0.0.1`, `*:9101`, `web1:9101`, `::1`, `[::1]:9101`.
package struct ListenAddress: Hashable, Sendable {
  /// nil for every address that the machine has.
  package let host: HostAddress?
  /// nil for the daemon's own port.
  package let port: UInt16?

  package init?(reading text: String) {
    let (hostText, portText) = Self.split(text)
    if let portText {
      guard portText.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = UInt16(portText), number > 0 else {
        return nil
      }
      port = number
    } else {
      port = nil
    }
    if hostText == "*" {
      host = nil
    } else {
      guard let host = HostAddress(reading: hostText) else { return nil }
      self.host = host
    }
  }

  /// Host and port, apart: the port stands behind the last colon when there is only one, or behind a bracket.
  private static func split(_ text: String) -> (host: String, port: String?) {
    guard let colon = text.lastIndex(of: ":") else { return (text, nil) }
    let host = text[..<colon]
    guard !host.contains(":") || host.hasSuffix("]") else { return (text, nil) }
    return (String(host), String(text[text.index(after: colon)...]))
  }
}
