import VaultModel

/// What a configuration may say: its resources and their directives, as a table.
package struct ConfigurationSchema: Sendable {
  package var resources: [BlockSchema]

  package init(_ resources: [BlockSchema]) { self.resources = resources }
}

/// How often something may be said.
package enum Occurrence: Sendable {
  case optional
  case required
  /// Any number of times, none included.
  case repeated

  var isRequired: Bool { self == .required }
  var isRepeatable: Bool { self == .repeated }
}

/// A resource, or a block inside one.
package struct BlockSchema: Sendable {
  package var keyword: String
  package var occurrence: Occurrence
  package var directives: [DirectiveSchema]
  package var blocks: [BlockSchema]

  package init(
    _ keyword: String, _ occurrence: Occurrence = .repeated, directives: [DirectiveSchema], blocks: [BlockSchema] = []
  ) {
    self.keyword = keyword
    self.occurrence = occurrence
    self.directives = directives
    self.blocks = blocks
  }
}

/// A directive: its keyword, what kind of value it takes and how often it may stand.
package struct DirectiveSchema: Sendable {
  package var keyword: String
  package var kind: ValueKind
  package var occurrence: Occurrence

  package init(_ keyword: String, _ kind: ValueKind, _ occurrence: Occurrence = .optional) {
    self.keyword = keyword
    self.kind = kind
    self.occurrence = occurrence
  }
}
