import VaultModel

/// A resource that was found right: its directives as values, by the schema's spelling of their keywords.
package struct ConfigurationBlock: Sendable {
  package let keyword: String
  package let position: SourcePosition
  private var values: [String: [ConfigurationValue]] = [:]
  private var positions: [String: SourcePosition] = [:]
  package internal(set) var blocks: [ConfigurationBlock] = []

  init(keyword: String, position: SourcePosition) {
    self.keyword = keyword
    self.position = position
  }

  mutating func add(_ value: ConfigurationValue, for keyword: String, at position: SourcePosition) {
    values[keyword, default: []].append(value)
    if positions[keyword] == nil { positions[keyword] = position }
  }

  /// Where a directive first stands; nil when it was not given.
  package func position(of keyword: String) -> SourcePosition? { positions[keyword] }

  /// Every value of a directive that may be repeated, in order.
  package func all(_ keyword: String) -> [ConfigurationValue] { values[keyword] ?? [] }

  package func text(_ keyword: String) -> ByteString? {
    if case .text(let value) = values[keyword]?.first { value } else { nil }
  }

  package func name(_ keyword: String) -> String? {
    if case .name(let value) = values[keyword]?.first { value } else { nil }
  }

  /// An integer, a size in bytes or a duration in seconds.
  package func number(_ keyword: String) -> UInt64? {
    switch values[keyword]?.first {
    case .integer(let value), .size(let value), .duration(let value): value
    default: nil
    }
  }

  package func yesNo(_ keyword: String) -> Bool? {
    if case .yesNo(let value) = values[keyword]?.first { value } else { nil }
  }

  package func identifier(_ keyword: String) -> UniqueIdentifier? {
    if case .identifier(let value) = values[keyword]?.first { value } else { nil }
  }

  package func instant(_ keyword: String) -> Timestamp? {
    if case .instant(let value) = values[keyword]?.first { value } else { nil }
  }
}
