import VaultModel

/// What `repository.conf` says: a repository's identity and the rules for its volumes.
package struct RepositoryConfiguration: Hashable, Sendable {
  /// The newest repository format that this program knows, and the one it writes.
  package static let currentFormat: UInt64 = 0
  /// FAT holds files of 4 GiB less one byte.
  package static let defaultVolumeSize: UInt64 = 4_095 << 20
  /// A volume holds its label, a session's start and end, and at least one whole block of 1 MiB; its addresses end at
  /// 16 TiB.
  package static let volumeSizeRange: ClosedRange<UInt64> = (2 << 20)...(16 << 40)

  package var identifier: UniqueIdentifier
  package var created: Timestamp
  /// Bytes of a volume at most.
  package var volumeSize: UInt64
  package var mediaType: String
  package var pool: String

  /// What a new repository gets.
  package init(
    identifier: UniqueIdentifier, created: Timestamp, volumeSize: UInt64 = defaultVolumeSize,
    mediaType: String = "File",
    pool: String = "Default"
  ) {
    self.identifier = identifier
    self.created = created
    self.volumeSize = volumeSize
    self.mediaType = mediaType
    self.pool = pool
  }

  private static let schema = ConfigurationSchema([
    BlockSchema(
      "Repository", .required,
      directives: [
        DirectiveSchema("Format", .integer(0...currentFormat), .required),
        DirectiveSchema("UUID", .identifier, .required),
        DirectiveSchema("Created", .instant, .required),
        DirectiveSchema("Volume Size", .size(volumeSizeRange)),
        DirectiveSchema("Media Type", .choice(["File"])),
        DirectiveSchema("Pool", .name),
      ])
  ])

  /// Reads a repository's configuration; `file` is its name for complaints. It can include nothing and use no
  /// variables.
  ///
  /// - Throws: `.newerFormat`, whatever else there is to complain about; `.mistakes`.
  package init(reading bytes: [UInt8], file: ByteString) throws(ConfigurationError) {
    let context = ParseContext(environment: .closed)
    let statements = ConfigurationParser.parse(bytes, file: file, context: context)
    // First of all: a newer format may have directives, and even a syntax, that would look like mistakes.
    if let format = Self.format(in: statements), format > Self.currentFormat {
      throw ConfigurationError(.newerFormat(file: file, found: format, known: Self.currentFormat))
    }
    let blocks = try ConfigurationReader(schema: Self.schema).validate(statements, file: file, context: context)
    guard let block = blocks.first, let identifier = block.identifier("UUID"), let created = block.instant("Created")
    else {
      let start = SourcePosition(file: file, line: 1, column: 1)
      let mistake = ConfigurationMistake(position: start, text: "expected a Repository { … }")
      throw ConfigurationError(.mistakes([mistake]))
    }
    self.init(
      identifier: identifier, created: created, volumeSize: block.number("Volume Size") ?? Self.defaultVolumeSize,
      mediaType: block.name("Media Type") ?? "File", pool: block.name("Pool") ?? "Default")
  }

  private static func format(in statements: [ConfigurationStatement]) -> UInt64? {
    for statement in statements {
      switch statement {
      case .block(let keyword, let inner) where keyword.normalized == "repository":
        if let format = format(in: inner) { return format }
      case .directive(let keyword, let items) where keyword.normalized == "format":
        guard let item = items.first, case .success(.integer(let format)) = ValueKind.integer(0...UInt64.max).read(item)
        else {
          continue
        }
        return format
      default: continue
      }
    }
    return nil
  }

  /// The file that a new repository gets; `init(reading:file:)` gives this value back.
  package func render() -> [UInt8] {
    let text = """
      # A vault repository: catalog.sqlite beside this file is its catalog, volumes/ holds what was saved.
      Repository {
        Format = \(Self.currentFormat)
        UUID = \(identifier.text)
        Created = \(RFC3339.render(created))
        Volume Size = \(SizeText.render(volumeSize))
        Media Type = \(mediaType)
        Pool = \(ConfigurationText.word(pool))
      }

      """
    return Array(text.utf8)
  }
}
