import VaultModel

/// A resource that was found right: its directives as values, by the schema's spelling of their keywords.
///
/// Asking for a keyword that the schema does not have is a mistake of the program, and traps.
package struct ConfigurationBlock: Sendable {
  struct Entry {
    let value: ConfigurationValue
    /// Where the value stands.
    let position: SourcePosition
  }

  let schema: BlockSchema
  package let position: SourcePosition
  private var values: [String: [Entry]] = [:]
  private var positions: [String: SourcePosition] = [:]
  /// Directives that another resource gave.
  private var inherited: Set<String> = []
  package internal(set) var blocks: [ConfigurationBlock] = []

  init(schema: BlockSchema, position: SourcePosition) {
    self.schema = schema
    self.position = position
  }

  package var keyword: String { schema.keyword }

  mutating func add(
    _ value: ConfigurationValue, for keyword: String, at position: SourcePosition, valueAt valuePosition: SourcePosition
  ) {
    values[keyword, default: []].append(Entry(value: value, position: valuePosition))
    if positions[keyword] == nil { positions[keyword] = position }
  }

  /// Takes from another resource what this one does not say itself.
  mutating func inherit(from other: ConfigurationBlock) {
    for directive in schema.directives where directive.keyword != "Name" && positions[directive.keyword] == nil {
      guard let position = other.positions[directive.keyword] else { continue }
      positions[directive.keyword] = position
      inherited.insert(directive.keyword)
      values[directive.keyword] = other.values[directive.keyword]
    }
  }

  /// Gives each directive that was not given its default; a block that may be left out is then one that says nothing.
  mutating func fillDefaults() {
    for directive in schema.directives where values[directive.keyword] == nil {
      guard let value = directive.defaultValue else { continue }
      values[directive.keyword] = [Entry(value: value, position: position)]
    }
    for inside in schema.blocks
    where inside.occurrence == .optional && !blocks.contains(where: { $0.keyword == inside.keyword }) {
      blocks.append(ConfigurationBlock(schema: inside, position: position))
    }
    for index in blocks.indices { blocks[index].fillDefaults() }
  }

  func entries(_ keyword: String) -> [Entry] {
    precondition(schema.directives.contains { $0.keyword == keyword }, "\(schema.keyword) has no \(keyword)")
    return values[keyword] ?? []
  }

  /// Where a directive first stands; nil when it was not given.
  package func position(of keyword: String) -> SourcePosition? { positions[keyword] }

  /// The same; nil also when it was given by the pattern only.
  func ownPosition(of keyword: String) -> SourcePosition? { inherited.contains(keyword) ? nil : positions[keyword] }

  /// Every value of a directive that may be repeated, in order.
  package func all(_ keyword: String) -> [ConfigurationValue] { entries(keyword).map(\.value) }

  private func first(_ keyword: String) -> ConfigurationValue? { entries(keyword).first?.value }

  package func text(_ keyword: String) -> ByteString? {
    if case .text(let value) = first(keyword) { value } else { nil }
  }

  package func name(_ keyword: String) -> String? {
    if case .name(let value) = first(keyword) { value } else { nil }
  }

  /// An integer, a size in bytes, a duration in seconds or a speed in bytes a second.
  package func number(_ keyword: String) -> UInt64? {
    switch first(keyword) {
    case .integer(let value), .size(let value), .duration(let value), .speed(let value): value
    default: nil
    }
  }

  package func yesNo(_ keyword: String) -> Bool? {
    if case .yesNo(let value) = first(keyword) { value } else { nil }
  }

  package func identifier(_ keyword: String) -> UniqueIdentifier? {
    if case .identifier(let value) = first(keyword) { value } else { nil }
  }

  package func instant(_ keyword: String) -> Timestamp? {
    if case .instant(let value) = first(keyword) { value } else { nil }
  }

  package func host(_ keyword: String) -> HostAddress? {
    if case .host(let value) = first(keyword) { value } else { nil }
  }

  package func password(_ keyword: String) -> Password? {
    if case .password(let value) = first(keyword) { value } else { nil }
  }

  package func names(_ keyword: String) -> [String] {
    all(keyword).compactMap { if case .name(let value) = $0 { value } else { nil } }
  }

  package func compression(_ keyword: String) -> Compression? {
    if case .compression(let value) = first(keyword) { value } else { nil }
  }

  package func texts(_ keyword: String) -> [ByteString] {
    all(keyword).compactMap { if case .text(let value) = $0 { value } else { nil } }
  }
}
