import VaultModel

/// A directive's value, as its kind reads it.
package enum ConfigurationValue: Hashable, Sendable {
  case text(ByteString)
  case name(String)
  case integer(UInt64)
  /// Bytes.
  case size(UInt64)
  /// Bytes a second.
  case speed(UInt64)
  /// Seconds.
  case duration(UInt64)
  case yesNo(Bool)
  case identifier(UniqueIdentifier)
  case instant(Timestamp)
  case host(HostAddress)
  case listen(ListenAddress)
  case password(Password)
  case messages(MessageSelection)
  case compression(Compression)
  /// Stands for a value that was reported as a mistake; a configuration that was read has none.
  case invalid
}

/// What kind of value a directive takes.
package enum ValueKind: Hashable, Sendable {
  /// Any bytes.
  case text
  /// Any bytes, which no complaint repeats.
  case secret
  /// An absolute path.
  case path
  /// What something is called: 1 to 127 bytes of printable text.
  case name
  /// The name of a resource of this keyword in the same configuration.
  case reference(String)
  /// One of the words given, without regard to case; read as `.name` in the spelling given here.
  case choice([String])
  case integer(ClosedRange<UInt64>)
  case size(ClosedRange<UInt64>)
  case speed(ClosedRange<UInt64>)
  case duration(ClosedRange<UInt64>)
  case yesNo
  /// A UUID.
  case identifier
  /// A point in time as RFC 3339 writes it.
  case instant
  /// Where to dial: a host's name or an IP address.
  case host
  /// Where to listen: an address, with a port or without.
  case listen
  case password
  /// How data is compressed.
  case compression
  /// Classes of messages; with `target`, a word for where they go and `=` come first.
  case messages(target: String?)

  /// Whether commas and `=` are part of one value, rather than marks between several.
  var takesWholeStatement: Bool { if case .messages = self { true } else { false } }

  /// Whether a complaint must not repeat what was found.
  private var isSecret: Bool { self == .password || self == .secret }

  /// What a value of this kind is called in the manual.
  package var title: String {
    switch self {
    case .text: "text"
    case .secret: "password"
    case .path: "path"
    case .name: "name"
    case .reference(let keyword): "name of a \(keyword)"
    case .choice(let words): words.joined(separator: " | ")
    case .integer: "number"
    case .size: "size"
    case .speed: "speed"
    case .duration: "duration"
    case .yesNo: "yes | no"
    case .identifier: "UUID"
    case .instant: "time"
    case .host: "host"
    case .listen: "address[:port]"
    case .password: "password"
    case .compression: "lz4 | zstd[:level] | none"
    case .messages(target: nil): "classes"
    case .messages(target: let target?): "\(target) = classes"
    }
  }

  /// What a value of this kind looks like, for complaints.
  var expectation: String {
    switch self {
    case .text, .secret: "text"
    case .path: "an absolute path"
    case .name: "a name of at most 127 bytes"
    case .reference(let keyword): "the name of a \(keyword)"
    case .choice(let words): Self.enumeration(words)
    case .integer(let range): "a whole number from \(range.lowerBound) to \(range.upperBound)"
    case .size(let range):
      "a size from \(SizeText.render(range.lowerBound)) to \(SizeText.render(range.upperBound)), such as 10G or 4095 MiB"
    case .speed: "a speed, such as 10 MB/s"
    case .duration: "a duration, such as 30 days or 60 minutes"
    case .yesNo: "yes or no"
    case .identifier: "a UUID"
    case .instant: "a time, such as 2026-01-31T12:00:00Z"
    case .host: "a host name or an IP address, without a port"
    case .listen: "* or an address, with or without a port, such as 10.0.0.1, [::1]:9101 or *:9101"
    case .password: Password.expectation
    case .compression: Compression.expectation
    case .messages(target: nil): "classes of messages, such as all, !skipped"
    case .messages(target: "path"): "an absolute path = classes of messages, such as \"/var/log/x\" = all, !skipped"
    case .messages(target: let target?): "\(target) = classes of messages, such as all, !skipped"
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
  /// Where, when that is not where the value begins.
  var position: SourcePosition?
}

extension ValueKind {
  /// Reads one item as this kind of value.
  func read(_ item: ConfigurationItem) -> Result<ConfigurationValue, ValueComplaint> {
    let bytes = ByteString(item.pieces.map(\.text).joined(separator: [0x20]))
    let found = isSecret ? "something else" : "\"\(shortened(bytes.bytes))\""
    if item.pieces.contains(where: { $0.kind == .equals }) {
      return .failure(
        ValueComplaint(text: "a value with = must stand in quotes; is a semicolon or a line end missing before it?"))
    }
    if item.pieces.count > 1, item.pieces.contains(where: { $0.kind == .quoted }) {
      return .failure(ValueComplaint(text: "expected nothing behind a string in quotes, found \(found)"))
    }
    guard let value = value(of: bytes) else {
      return .failure(ValueComplaint(text: "expected \(expectation), found \(found)"))
    }
    return .success(value)
  }

  /// Reads a whole statement's items as one value of a kind that takes them all.
  func read(_ items: [ConfigurationItem]) -> Result<ConfigurationValue, ValueComplaint> {
    guard case .messages(let target) = self else { return .failure(ValueComplaint(text: "expected \(expectation)")) }
    return MessageSelection.read(items, targetTitle: target, expectation: expectation).map { .messages($0) }
  }

  /// Reads a text of the program's own, a default.
  func read(_ text: String) -> ConfigurationValue? { value(of: ByteString(text)) }

  private func value(of bytes: ByteString) -> ConfigurationValue? {
    switch self {
    case .text, .secret: .text(bytes)
    case .path: bytes.bytes.first == UInt8(ascii: "/") && !bytes.bytes.contains(0) ? .text(bytes) : nil
    case .password: Password(reading: bytes).map { .password($0) }
    default: bytes.text.flatMap { value(of: $0) }
    }
  }

  private func value(of text: String) -> ConfigurationValue? {
    switch self {
    case .text, .secret, .path, .password, .messages: nil
    case .name, .reference: Self.isName(text) ? .name(text) : nil
    case .choice(let words): words.first { $0.lowercased() == text.lowercased() }.map { .name($0) }
    case .integer(let range): Self.integer(text, in: range).map { .integer($0) }
    case .size(let range): SizeText.parse(text).flatMap { range.contains($0) ? .size($0) : nil }
    case .speed(let range): SpeedText.parse(text).flatMap { range.contains($0) ? .speed($0) : nil }
    case .duration(let range):
      DurationText.parse(text, bareUnit: .second).flatMap { range.contains($0) ? .duration($0) : nil }
    case .yesNo: Self.yesNo(text).map { .yesNo($0) }
    case .identifier: UniqueIdentifier(text: text).map { .identifier($0) }
    case .instant: RFC3339.parse(text).map { .instant($0.instant) }
    case .host: HostAddress(reading: text).map { .host($0) }
    case .listen: ListenAddress(reading: text).map { .listen($0) }
    case .compression: Compression(reading: text).map { .compression($0) }
    }
  }

  /// Whether something may be called so.
  package static func isName(_ text: String) -> Bool {
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
