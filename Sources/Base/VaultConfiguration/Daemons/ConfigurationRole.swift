import VaultModel
import VaultSystem

/// Whose configuration a file is.
package enum ConfigurationRole: String, CaseIterable, Sendable {
  case director = "dir"
  case storageDaemon = "sd"
  case fileDaemon = "fd"
  case console

  package var schema: ConfigurationSchema {
    switch self {
    case .director: DirectorConfiguration.schema
    case .storageDaemon: StorageDaemonConfiguration.schema
    case .fileDaemon: FileDaemonConfiguration.schema
    case .console: ConsoleConfiguration.schema
    }
  }

  package var title: String {
    switch self {
    case .director: "director"
    case .storageDaemon: "storage daemon"
    case .fileDaemon: "file daemon"
    case .console: "console"
    }
  }

  /// The file's name in its directory.
  package var fileName: String { "\(rawValue).conf" }

  /// The file that is read when none is named.
  package var defaultPath: ByteString { ByteString("/etc/vault/\(fileName)") }
}

/// A role's configuration as typed values.
package protocol DaemonConfiguration: Sendable {
  static var schema: ConfigurationSchema { get }

  /// - Parameter resources: of a configuration that was held against `schema` and has no mistakes.
  init(_ resources: ResourceTable)
}

extension DaemonConfiguration {
  /// Reads a configuration file and all that it includes.
  ///
  /// - Throws: `.unreadable`; `.mistakes` with all of them.
  package init(
    file: ByteString, environment: ConfigurationEnvironment = .system
  ) throws(ConfigurationError) {
    self.init(try ResourceTable(file: file, schema: Self.schema, environment: environment))
  }
}

/// The resources of a configuration without mistakes.
package struct ResourceTable: Sendable {
  private let blocks: [ConfigurationBlock]

  /// Reads a configuration file and all that it includes.
  ///
  /// - Throws: `.unreadable`; `.mistakes` with all of them.
  package init(
    file: ByteString, schema: ConfigurationSchema, environment: ConfigurationEnvironment = .system
  ) throws(ConfigurationError) {
    let bytes: [UInt8]
    do {
      bytes = try environment.read(file, ConfigurationLimits.bytes)
    } catch {
      throw ConfigurationError(.unreadable(file: file, reason: "\(error)"))
    }
    blocks = try ConfigurationReader(schema: schema, environment: environment).read(bytes, file: file)
  }

  func all(_ keyword: String) -> [ConfigurationBlock] { blocks.filter { $0.keyword == keyword } }

  /// The resource that the schema requires.
  func one(_ keyword: String) -> ConfigurationBlock {
    guard let block = blocks.first(where: { $0.keyword == keyword }) else {
      preconditionFailure("the schema does not require \(keyword)")
    }
    return block
  }

  /// How many resources there are of each kind, in the order of the schema.
  package func counts(by schema: ConfigurationSchema) -> [(keyword: String, count: Int)] {
    schema.resources.map { ($0.keyword, all($0.keyword).count) }.filter { $0.count > 0 }
  }
}
