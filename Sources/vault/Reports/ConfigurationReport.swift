import VaultConfiguration
import VaultModel

/// What `--test-config` found.
enum ConfigurationReport {
  /// One line: the file is right, and what is in it.
  static func text(
    _ path: ByteString, _ role: ConfigurationRole, resources: [(keyword: String, count: Int)]
  ) -> String {
    let counts = resources.map { "\($0.count) \($0.keyword)" }.joined(separator: ", ")
    return "\(path.displayText): no mistakes for a \(role.title): \(counts).\n"
  }

  static func json(
    _ path: ByteString, mistakes: [ConfigurationMistake], resources: [(keyword: String, count: Int)]
  ) -> [UInt8] {
    var writer = JSONWriter()
    writer.object { writer in
      writer.field("path", path)
      writer.key("mistakes")
      writer.array { writer in
        for mistake in mistakes {
          writer.element { writer in
            writer.field("path", mistake.position.file)
            writer.field("line", UInt64(mistake.position.line))
            writer.field("column", UInt64(mistake.position.column))
            writer.field("text", mistake.text)
          }
        }
      }
      writer.key("resources")
      writer.object { writer in
        for resource in resources { writer.field(resource.keyword, UInt64(resource.count)) }
      }
    }
    writer.endLine()
    return writer.bytes
  }
}
