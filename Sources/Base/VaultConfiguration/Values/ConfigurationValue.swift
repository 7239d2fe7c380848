import VaultModel

/// A directive's value, as its kind reads it.
package enum ConfigurationValue: Hashable, Sendable {
  case text(ByteString)
  case name(String)
  case integer(UInt64)
  /// Bytes.
  case size(UInt64)
  /// Seconds.
  case duration(UInt64)
  case yesNo(Bool)
  case identifier(UniqueIdentifier)
  case instant(Timestamp)
  /// Stands for a value that was reported as a mistake; a configuration that was read has none.
  case invalid
}

/// What kind of value a directive takes.
package enum ValueKind: Hashable, Sendable {
  /// Any bytes.
  case text
  /// What something is called: 1 to 127 bytes of printable text.
  case name
  /// One of the words given, without regard to case; read as `.name` in the spelling given here.
  case choice([String])
  case integer(ClosedRange<UInt64>)
  case size(ClosedRange<UInt64>)
  case duration(ClosedRange<UInt64>)
  case yesNo
  /// A UUID.
  case identifier
  /// A point in time as RFC 3339 writes it.
  case instant

  /// What a value of this kind looks like, for complaints.
  var expectation: String {
    switch self {
    case .text: "text"
    case .name: "a name of at most 127 bytes"
    case .choice(let words): Self.enumeration(words)
    case .integer(let range): "a whole number from \(range.lowerBound) to \(range.upperBound)"
    case .size(let range):
      "a size from \(SizeText.render(range.lowerBound)) to \(SizeText.render(range.upperBound)), such as 10G or 4095 MiB"
    case .duration: "a duration, such as 30 days or 60 minutes"
    case .yesNo: "yes or no"
    case .identifier: "a UUID"
    case .instant: "a time, such as 2026-01-31T12:00:00Z"
    }
  }

  /// `a, b or c`
  static func enumeration(_ words: [String]) -> String {
    guard words.count > 1, let last = words.last else { return words.first ?? "" }
    return words.dropLast().joined(separator: ", ") + " or " + last
  }
}

/// Why a value was refused.
struct ValueComplaint: Error {
  let text: String
}

extension ValueKind {
  /// Reads one item as this kind of value.
  func read(_ item: ConfigurationItem) -> Result<ConfigurationValue, ValueComplaint> {
    let bytes = ByteString(item.pieces.map(\.text).joined(separator: [0x20]))
    let shown = shortened(bytes.bytes)
    let complaint = ValueComplaint(text: "expected \(expectation), found \"\(shown)\"")
    if item.pieces.contains(where: { $0.kind == .equals }) {
      return .failure(
        ValueComplaint(text: "a value with = must stand in quotes; is a semicolon or a line end missing before it?"))
    }
    if item.pieces.count > 1, item.pieces.contains(where: { $0.kind == .quoted }) {
      return .failure(ValueComplaint(text: "expected nothing behind a string in quotes, found \"\(shown)\""))
    }
    if self == .text { return .success(.text(bytes)) }
    guard let text = bytes.text, let value = value(of: text) else { return .failure(complaint) }
    return .success(value)
  }

  private func value(of text: String) -> ConfigurationValue? {
    switch self {
    case .text: .text(ByteString(text))
    case .name: Self.isName(text) ? .name(text) : nil
    case .choice(let words): words.first { $0.lowercased() == text.lowercased() }.map { .name($0) }
    case .integer(let range): Self.integer(text, in: range).map { .integer($0) }
    case .size(let range): SizeText.parse(text).flatMap { range.contains($0) ? .size($0) : nil }
    case .duration(let range):
      DurationText.parse(text, bareUnit: .second).flatMap { range.contains($0) ? .duration($0) : nil }
    case .yesNo: Self.yesNo(text).map { .yesNo($0) }
    case .identifier: UniqueIdentifier(text: text).map { .identifier($0) }
    case .instant: RFC3339.parse(text).map { .instant($0.instant) }
    }
  }

  private static func isName(_ text: String) -> Bool {
    (1...127).contains(text.utf8.count) && text.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
  }

  private static func integer(_ text: String, in range: ClosedRange<UInt64>) -> UInt64? {
    guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let value = UInt64(text) else { return nil }
    return range.contains(value) ? value : nil
  }

  private static func yesNo(_ text: String) -> Bool? {
    switch text.lowercased() {
    case "yes", "true", "on": true
    case "no", "false", "off": false
    default: nil
    }
  }
}
