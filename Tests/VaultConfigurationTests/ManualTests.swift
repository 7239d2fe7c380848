import Testing
import VaultConfiguration
import VaultModel

/// vault.conf(5) describes every directive that there is, as the parser's table has it, and no other.
@Suite struct ManualTests {
  static let sections = [
    (".Sh DIRECTOR", ConfigurationRole.director), (".Sh STORAGE DAEMON", .storageDaemon),
    (".Sh FILE DAEMON", .fileDaemon), (".Sh CONSOLE", .console),
  ]
  private static let tlsNote = "It takes the TLS directives too."

  /// What the page must say of a directive, line by line; more may follow.
  private static func item(_ directive: DirectiveSchema) -> [String] {
    var lines = [".It Ic \(directive.keyword) No = Ar \(directive.kind.title)", directive.summary]
    if let text = directive.defaultText { lines.append("Default: \(text).") }
    if directive.occurrence.isRequired { lines.append("Required.") }
    if directive.occurrence.isRepeatable { lines.append("May be a list, and be repeated.") }
    if !directive.aliases.isEmpty { lines.append("Also written \(directive.aliases.joined(separator: ", ")).") }
    return lines
  }

  private static func isTLS(_ directive: DirectiveSchema) -> Bool { directive.keyword.hasPrefix("TLS ") }

  /// A resource's part of the page, and those of the blocks in it.
  private static func part(_ block: BlockSchema, inside: [String] = []) -> [[String]] {
    let place = inside.isEmpty ? "" : " in " + inside.joined(separator: " in ")
    var lines = [".Ss \(block.keyword)\(place)", block.summary]
    if block.occurrence.isRequired {
      lines.append(block.occurrence.isRepeatable ? "There is at least one." : "There is one.")
    }
    if !block.aliases.isEmpty { lines.append("Also written \(block.aliases.joined(separator: ", ")).") }
    if block.directives.contains(where: isTLS) { lines.append(tlsNote) }
    lines += [".Bl -tag -width Ds"] + block.directives.filter { !isTLS($0) }.flatMap(item) + [".El"]
    return [lines] + block.blocks.flatMap { part($0, inside: [block.keyword] + inside) }
  }

  private static func expected(_ heading: String, _ role: ConfigurationRole) -> [[String]] {
    [[heading]] + role.schema.resources.flatMap { part($0) }
  }

  private static let page: [String] = {
    let bytes = (try? RepositoryRoot.read("man/vault.conf.5")) ?? []
    return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
  }()

  /// The lines of one section.
  private static func section(_ heading: String) -> [String] {
    guard let start = page.firstIndex(of: heading) else { return [] }
    let rest = page[(start + 1)...]
    return Array(rest[..<(rest.firstIndex { $0.hasPrefix(".Sh ") } ?? rest.endIndex)])
  }

  /// Lines of `wanted` that `found` does not have in this order.
  private static func missing(_ wanted: [String], in found: [String]) -> [String] {
    var rest = found[...]
    var missing: [String] = []
    for line in wanted {
      if let place = rest.firstIndex(of: line) { rest = rest[(place + 1)...] } else { missing.append(line) }
    }
    return missing
  }

  @Test(arguments: sections)
  func everyDirectiveIsDescribed(heading: String, role: ConfigurationRole) {
    let wanted = Self.expected(heading, role).dropFirst().flatMap { $0 }
    #expect(Self.missing(wanted, in: Self.section(heading)) == [])
  }

  @Test(arguments: sections)
  func everyDescriptionIsOfADirective(heading: String, role: ConfigurationRole) {
    func items(_ lines: [String]) -> [String] { lines.filter { $0.hasPrefix(".It ") || $0.hasPrefix(".Ss ") } }
    #expect(items(Self.section(heading)) == items(Self.expected(heading, role).flatMap { $0 }))
  }

  @Test func theTLSDirectivesAreTheSameEverywhere() throws {
    let own = try #require(DirectorConfiguration.schema.resources.first).directives.filter(Self.isTLS)
    #expect(own.count == 7)
    for role in ConfigurationRole.allCases {
      for block in role.schema.resources {
        let found = block.directives.filter(Self.isTLS)
        #expect(found.isEmpty || found.flatMap(Self.item) == own.flatMap(Self.item))
      }
    }
    let wanted = own.flatMap(Self.item)
    let section = Self.section(".Sh TLS DIRECTIVES")
    #expect(Self.missing(wanted, in: section) == [])
    #expect(section.filter { $0.hasPrefix(".It ") }.count == own.count)
  }

  @Test func everyClassOfMessagesIsDescribed() {
    let items = Self.section(".Sh MESSAGES").filter { $0.hasPrefix(".It ") }
    #expect(items == (["all"] + MessageClass.allCases.map(\.rawValue)).map { ".It Cm \($0)" })
  }

  @Test func everyDefaultIsAValue() {
    func directives(_ block: BlockSchema) -> [DirectiveSchema] { block.directives + block.blocks.flatMap(directives) }
    for role in ConfigurationRole.allCases {
      for directive in role.schema.resources.flatMap(directives) where directive.defaultText != nil {
        #expect(directive.defaultValue != nil, "\(directive.keyword)")
      }
      for directive in role.schema.resources.flatMap(directives) {
        #expect(directive.summary.hasSuffix("."), "\(directive.keyword) is not described in a sentence")
      }
    }
  }
}
