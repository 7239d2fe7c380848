import VaultConfiguration
import VaultModel

/// A schema with every kind of value, blocks inside blocks, and files that exist only in memory.
enum ConfigurationFixture {
  static let schema = ConfigurationSchema([
    BlockSchema(
      "Client",
      directives: [
        DirectiveSchema("Name", .name, .required),
        DirectiveSchema("Address", .text),
        DirectiveSchema("Maximum Concurrent Jobs", .integer(1...1_000)),
        DirectiveSchema("DIRportFD", .integer(1...65_535)),
        DirectiveSchema("Heartbeat Interval", .duration(0...86_400)),
        DirectiveSchema("Maximum Bandwidth", .size(1...1 << 40)),
        DirectiveSchema("Passive", .yesNo),
        DirectiveSchema("Protocol", .choice(["Native", "NDMP"])),
      ]),
    BlockSchema(
      "FileSet",
      directives: [DirectiveSchema("Name", .name, .required)],
      blocks: [
        BlockSchema(
          "Include", directives: [DirectiveSchema("File", .text, .repeated)],
          blocks: [BlockSchema("Options", .optional, directives: [DirectiveSchema("Wild File", .text, .repeated)])])
      ]),
  ])

  static func environment(
    files: [ByteString: String] = [:], variables: [String: ByteString] = [:]
  ) -> ConfigurationEnvironment {
    ConfigurationEnvironment(
      read: { path, limit in
        guard let text = files[path] else { throw Missing() }
        return Array(text.utf8.prefix(limit + 1))
      },
      list: { directory in
        let prefix = directory.bytes.last == 0x2f ? directory.bytes : directory.bytes + [0x2f]
        let names = files.keys.filter { $0.bytes.starts(with: prefix) }.map {
          ByteString($0.bytes.dropFirst(prefix.count))
        }
        guard !names.isEmpty else { throw Missing() }
        return names
      },
      variable: { variables[$0] })
  }

  struct Missing: Error, CustomStringConvertible {
    var description: String { "no such file" }
  }

  static func read(
    _ text: String, files: [ByteString: String] = [:], variables: [String: ByteString] = [:]
  ) throws(ConfigurationError) -> [ConfigurationBlock] {
    let reader = ConfigurationReader(schema: schema, environment: environment(files: files, variables: variables))
    return try reader.read(Array(text.utf8), file: "/etc/vault/dir.conf")
  }

  /// What is complained about, a line each; empty when nothing is.
  static func mistakes(
    _ text: String, files: [ByteString: String] = [:], variables: [String: ByteString] = [:]
  ) -> [String] {
    do {
      _ = try read(text, files: files, variables: variables)
      return []
    } catch {
      guard case .mistakes(let mistakes) = error.kind else { return [error.description] }
      return mistakes.map(\.description)
    }
  }
}
