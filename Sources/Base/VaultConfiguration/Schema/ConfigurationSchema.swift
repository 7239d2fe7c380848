import VaultModel

/// What a configuration may say: its resources and their directives, as a table.
package struct ConfigurationSchema: Sendable {
  /// Finds what no single resource can: told the resources, it calls `report` for each mistake.
  package typealias Check =
    @Sendable (_ resources: [ConfigurationBlock], _ report: (SourcePosition, String) -> Void) -> Void

  package var resources: [BlockSchema]
  package var check: Check

  package init(_ resources: [BlockSchema], check: @escaping Check = { _, _ in }) {
    self.resources = resources
    self.check = check
  }
}

/// How often something may be said.
package enum Occurrence: Sendable {
  case optional
  case required
  /// Any number of times, none included.
  case repeated
  /// Once or more often.
  case some

  package var isRequired: Bool { self == .required || self == .some }
  package var isRepeatable: Bool { self == .repeated || self == .some }
}

/// A resource, or a block inside one.
package struct BlockSchema: Sendable {
  /// Finds what no single directive can: told the resource, it calls `report` for each mistake.
  package typealias Check = @Sendable (_ block: ConfigurationBlock, _ report: (SourcePosition, String) -> Void) -> Void

  package let keyword: String
  /// Other words for it.
  package let aliases: [String]
  /// Keyword and aliases without regard to case and spaces, once for all files.
  private let normalizedWords: [String]
  package var occurrence: Occurrence
  /// What it is, in one sentence.
  package var summary: String
  package var directives: [DirectiveSchema]
  package var blocks: [BlockSchema]
  /// The directive that names a resource of the same keyword, which gives what is not said here.
  package var inherits: String?
  package var check: Check

  package init(
    _ keyword: String, aliases: [String] = [], _ occurrence: Occurrence = .repeated, summary: String = "",
    directives: [DirectiveSchema], blocks: [BlockSchema] = [], inherits: String? = nil,
    check: @escaping Check = { _, _ in }
  ) {
    self.keyword = keyword
    self.aliases = aliases
    normalizedWords = ([keyword] + aliases).map(ConfigurationKeyword.normalize)
    self.occurrence = occurrence
    self.summary = summary
    self.directives = directives
    self.blocks = blocks
    self.inherits = inherits
    self.check = check
  }

  /// Every word that means it.
  var words: [String] { [keyword] + aliases }

  func isMeant(by keyword: ConfigurationKeyword) -> Bool { normalizedWords.contains(keyword.normalized) }

  /// Whether resources of this kind are told apart by a name.
  var hasName: Bool { directives.contains { $0.keyword == "Name" } }
}

/// A directive: its keyword, what kind of value it takes and how often it may stand.
package struct DirectiveSchema: Sendable {
  package let keyword: String
  /// Other words for it.
  package let aliases: [String]
  /// Keyword and aliases without regard to case and spaces, once for all files.
  private let normalizedWords: [String]
  package var kind: ValueKind
  package var occurrence: Occurrence
  /// What is meant when it is not given, in the language's own words.
  package var defaultText: String?
  /// What it does, in one sentence.
  package var summary: String
  /// For a directive that is often given several values elsewhere: what to do instead.
  var insteadOfSeveral: String?

  package init(
    _ keyword: String, aliases: [String] = [], _ kind: ValueKind, _ occurrence: Occurrence = .optional,
    default defaultText: String? = nil, _ summary: String = ""
  ) {
    self.keyword = keyword
    self.aliases = aliases
    normalizedWords = ([keyword] + aliases).map(ConfigurationKeyword.normalize)
    self.kind = kind
    self.occurrence = occurrence
    self.defaultText = defaultText
    self.summary = summary
  }

  /// A directive that may be given once, or left out.
  package init(
    _ keyword: String, aliases: [String] = [], _ kind: ValueKind, default defaultText: String? = nil, _ summary: String
  ) {
    self.init(keyword, aliases: aliases, kind, .optional, default: defaultText, summary)
  }

  /// Every word that means it.
  var words: [String] { [keyword] + aliases }

  func isMeant(by keyword: ConfigurationKeyword) -> Bool { normalizedWords.contains(keyword.normalized) }

  package var defaultValue: ConfigurationValue? { defaultText.flatMap { kind.read($0) } }
}
