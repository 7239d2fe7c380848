/// A 128-bit UUID (RFC 9562, version 4 when made here): a volume's, a session's, a repository's.
///
/// - Layout: `high` holds the first eight bytes in network order, `low` the last eight.
package struct UniqueIdentifier: Hashable, Sendable {
  package let high: UInt64
  package let low: UInt64

  package init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// The nil UUID: no session, no volume.
  package static let none = UniqueIdentifier(high: 0, low: 0)

  /// A new random UUID from `generator`.
  package static func random(using generator: inout some RandomNumberGenerator) -> UniqueIdentifier {
    let first: UInt64 = generator.next()
    let second: UInt64 = generator.next()
    return UniqueIdentifier(
      high: (first & ~0xf000) | 0x4000, low: (second & 0x3fff_ffff_ffff_ffff) | 0x8000_0000_0000_0000)
  }

  /// A new random UUID from the system's generator.
  package static func random() -> UniqueIdentifier {
    var generator = SystemRandomNumberGenerator()
    return random(using: &generator)
  }

  /// Reads the 36-character text form; nil for anything else.
  package init?(text: String) {
    let bytes = Array(text.utf8)
    guard bytes.count == 36 else { return nil }
    var words: [UInt64] = [0, 0]
    var digitCount = 0
    for (index, byte) in bytes.enumerated() {
      if index == 8 || index == 13 || index == 18 || index == 23 {
        guard byte == 0x2d else { return nil }
        continue
      }
      guard let digit = Character(UnicodeScalar(byte)).hexDigitValue else { return nil }
      words[digitCount / 16] = words[digitCount / 16] << 4 | UInt64(digit)
      digitCount += 1
    }
    self.init(high: words[0], low: words[1])
  }

  /// The 36-character lower-case text form.
  package var text: String {
    func hex(_ value: UInt64, _ digitCount: Int) -> String {
      let digits = String(value, radix: 16)
      return String(repeating: "0", count: digitCount - digits.count) + digits
    }
    return [
      hex(high >> 32, 8), hex(high >> 16 & 0xffff, 4), hex(high & 0xffff, 4), hex(low >> 48, 4),
      hex(low & 0xffff_ffff_ffff, 12),
    ].joined(separator: "-")
  }
}

extension UniqueIdentifier: CustomStringConvertible {
  package var description: String { text }
}
