import VaultModel

/// Reads the resource language: resource files to validated values, every mistake named with file, line and column.
///
/// The language is that of Bacula and Bareos: `Client { Name = web1-fd; Heartbeat Interval = 60 s }`. Bytes become
/// tokens (`ConfigurationLexer`), tokens statements (`ConfigurationParser`), statements values of a schema
/// (`ConfigurationValidator`). A reader touches no file itself: includes and variables come through a
/// `ConfigurationEnvironment`.
package struct ConfigurationReader {
  private let schema: ConfigurationSchema
  private let environment: ConfigurationEnvironment

  package init(schema: ConfigurationSchema, environment: ConfigurationEnvironment = .closed) {
    self.schema = schema
    self.environment = environment
  }

  /// Reads one file's bytes and all that it includes.
  ///
  /// - Bounds: `ConfigurationLimits`; at most `ConfigurationLimits.mistakes` mistakes are kept.
  /// - Throws: `.mistakes` with all of them, sorted by their place.
  package func read(_ bytes: [UInt8], file: ByteString) throws(ConfigurationError) -> [ConfigurationBlock] {
    let context = ParseContext(environment: environment)
    let statements = ConfigurationParser.parse(bytes, file: file, context: context)
    return try validate(statements, file: file, context: context)
  }

  /// Holds statements that were parsed already against the schema.
  func validate(
    _ statements: [ConfigurationStatement], file: ByteString, context: ParseContext
  ) throws(ConfigurationError) -> [ConfigurationBlock] {
    let validator = ConfigurationValidator(context: context)
    let blocks = validator.resources(
      statements, schema: schema, start: SourcePosition(file: file, line: 1, column: 1))
    guard context.mistakes.isEmpty else { throw ConfigurationError(.mistakes(context.sortedMistakes)) }
    return blocks
  }
}

/// What a configuration may use of the world around it.
package struct ConfigurationEnvironment: Sendable {
  /// The bytes of a file named by an include, at most so many; throws what says why not.
  package var read: @Sendable (_ path: ByteString, _ byteLimit: Int) throws -> [UInt8]
  /// The names in a directory, for an include with a pattern.
  package var list: @Sendable (_ directory: ByteString) throws -> [ByteString]
  /// A variable's value; nil when it is not defined.
  package var variable: @Sendable (_ name: String) -> ByteString?

  package init(
    read: @escaping @Sendable (ByteString, Int) throws -> [UInt8],
    list: @escaping @Sendable (ByteString) throws -> [ByteString],
    variable: @escaping @Sendable (String) -> ByteString?
  ) {
    self.read = read
    self.list = list
    self.variable = variable
  }

  /// No includes and no variables: for files that come with data, such as a repository's, and so may be anybody's.
  package static let closed = ConfigurationEnvironment(
    read: { _, _ in throw IncludesNotAllowed() }, list: { _ in throw IncludesNotAllowed() }, variable: { _ in nil })

  private struct IncludesNotAllowed: Error, CustomStringConvertible {
    var description: String { "includes are not allowed in this file" }
  }
}

/// What a configuration may cost.
package enum ConfigurationLimits {
  /// Bytes of all files together, variables' values included.
  package static let bytes = 16 << 20
  package static let files = 1_000
  /// Files that include files.
  package static let includeDepth = 16
  /// Blocks inside blocks.
  package static let blockDepth = 32
  /// Mistakes that are told in one run.
  package static let mistakes = 100
}
