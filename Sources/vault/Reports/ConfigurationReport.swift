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

/// What `vault init` wrote, and what to type next.
enum InitialCommands {
  static func text(_ set: InitialConfiguration) -> String {
    let files = ConfigurationRole.allCases.map { "  " + set.path(of: $0).displayText }
    let lines =
      ["Written, readable by their owner only:"] + files + ["", "Make the directories that they name:"]
      + preparing(set).map { "  " + $0 } + ["", "Test them, also after every change:"] + testing(set).map { "  " + $0 }
    return lines.joined(separator: "\n") + "\n"
  }

  static func json(_ set: InitialConfiguration) -> [UInt8] {
    var writer = JSONWriter()
    writer.object { writer in
      writer.key("files")
      writer.array { writer in
        for role in ConfigurationRole.allCases {
          writer.element { writer in writer.field("path", set.path(of: role)) }
        }
      }
      writer.key("commands")
      writer.array { writer in
        for command in preparing(set) + testing(set) { writer.element(command) }
      }
    }
    writer.endLine()
    return writer.bytes
  }

  private static func preparing(_ set: InitialConfiguration) -> [String] {
    ["install -d -m 700 " + set.neededDirectories.map(shellWord).joined(separator: " ")]
  }

  private static func testing(_ set: InitialConfiguration) -> [String] {
    ConfigurationRole.allCases.map { "vault \($0.rawValue) --test-config -c \(shellWord(set.path(of: $0)))" }
  }

  /// A path as a shell reads it back.
  private static func shellWord(_ path: ByteString) -> String {
    let isPlain = path.bytes.allSatisfy {
      (0x30...0x39).contains($0) || (0x41...0x5a).contains($0) || (0x61...0x7a).contains($0)
        || "/-._+,:@".utf8.contains($0)
    }
    if isPlain { return path.displayText }
    guard let text = path.text, !text.unicodeScalars.contains(where: \.isInvisible) else {
      return "$'" + path.bytes.map { "\\x" + ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() + "'"
    }
    return "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
  }
}
