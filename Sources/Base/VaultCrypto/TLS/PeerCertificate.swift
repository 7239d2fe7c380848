import VaultModel

/// The names in a peer's certificate that an authority vouches for.
package struct PeerCertificate: Hashable, Sendable {
  package var commonName: ByteString?
  /// The names of hosts and the addresses in its extension, as text.
  package var alternativeNames: [ByteString]

  package init(commonName: ByteString?, alternativeNames: [ByteString] = []) {
    self.commonName = commonName
    self.alternativeNames = alternativeNames
  }

  /// All names, the common one first.
  package var names: [ByteString] { (commonName.map { [$0] } ?? []) + alternativeNames }

  /// Whether it is somebody's: one of its names is the name, in letters of either case, or `*.` and all of the name behind its
  /// first dot.
  package func isFor(_ name: ByteString) -> Bool {
    let wanted = Self.lowercased(name)
    return names.contains { Self.matches(Self.lowercased($0), wanted) }
  }

  /// For a person: its names.
  package var displayText: String {
    names.isEmpty ? "nobody" : names.map { "'\($0.displayText)'" }.joined(separator: ", ")
  }

  private static func matches(_ own: [UInt8], _ wanted: [UInt8]) -> Bool {
    if wanted.isEmpty { return false }
    if own == wanted { return true }
    let (dot, star) = (UInt8(ascii: "."), UInt8(ascii: "*"))
    guard own.starts(with: [star, dot]), let first = wanted.firstIndex(of: dot), first > 0 else { return false }
    // An address has dots, too, but is no name of a domain.
    guard wanted.contains(where: { !(0x30...0x39).contains($0) && $0 != dot }) else { return false }
    return own.dropFirst() == wanted[first...] && own.dropFirst(2).contains(dot)
  }

  private static func lowercased(_ name: ByteString) -> [UInt8] {
    name.bytes.map { (0x41...0x5a).contains($0) ? $0 + 0x20 : $0 }
  }
}
