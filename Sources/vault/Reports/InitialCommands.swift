import VaultConfiguration
import VaultModel

/// What `vault init` wrote, and what to type next.
enum InitialCommands {
  /// Commands that belong together, and what they are for.
  private struct Step {
    var title: String
    var commands: [String]
  }

  static func text(_ set: InitialConfiguration) -> String {
    let files = ConfigurationRole.allCases.map { "  " + set.path(of: $0).displayText }
    let lines =
      ["Written, readable by their owner only:"] + files
      + steps(set).flatMap { step in ["", step.title + ":"] + step.commands.map { "  " + $0 } }
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
        for command in steps(set).flatMap(\.commands) { writer.element(command) }
      }
    }
    writer.endLine()
    return writer.bytes
  }

  private static func steps(_ set: InitialConfiguration) -> [Step] {
    var steps = [
      Step(title: "Make the directories that they name", commands: preparing(set)),
      Step(title: "Test them, also after every change", commands: testing(set)),
      Step(title: "Start the daemons", commands: starting(set)),
      Step(title: "Run the first job", commands: [console(set, "run job=\(consoleWord(set.jobName)) wait")]),
      Step(
        title: "Bring back what it saved of /etc, below \(InitialConfiguration.restoreDirectory.displayText)",
        commands: [console(set, "restore client=\(consoleWord(set.clientName)) wait /etc")]),
    ]
    if set.catalog == .postgresql {
      let make = "vault dir --init-catalog -c \(shellWord(set.path(of: .director)))"
      steps.insert(Step(title: "Make the catalog's role and database", commands: [make]), at: 2)
    }
    if set.isForServices {
      steps.insert(
        Step(title: "Make the user of director and storage daemon, and give it their files", commands: giving(set)),
        at: 0)
    }
    return steps
  }

  /// The units run director and storage daemon as a user of their own, who must find the files and read two of them.
  private static func giving(_ set: InitialConfiguration) -> [String] {
    let files = [ConfigurationRole.director, .storageDaemon].map { shellWord(set.path(of: $0)) }
    return [
      "systemd-sysusers", "chmod 711 \(shellWord(set.directory))", "chown vault: " + files.joined(separator: " "),
    ]
  }

  private static func preparing(_ set: InitialConfiguration) -> [String] {
    func words(_ paths: [ByteString]) -> String { paths.map(shellWord).joined(separator: " ") }
    let shared = [set.workingDirectory(of: .director), set.workingDirectory(of: .storageDaemon), set.store]
    let own = set.workingDirectory(of: .fileDaemon)
    return set.isForServices
      ? ["install -d -m 700 -o vault -g vault " + words(shared), "install -d -m 700 " + words([own])]
      : ["install -d -m 700 " + words(set.neededDirectories)]
  }

  private static func testing(_ set: InitialConfiguration) -> [String] {
    ConfigurationRole.allCases.map { "vault \($0.rawValue) --test-config -c \(shellWord(set.path(of: $0)))" }
  }

  private static func starting(_ set: InitialConfiguration) -> [String] {
    set.isForServices
      ? ["systemctl enable --now vault-sd vault-fd vault-dir"]
      : [ConfigurationRole.storageDaemon, .fileDaemon, .director].map {
        "vault \($0.rawValue) -c \(shellWord(set.path(of: $0))) &"
      }
  }

  private static func console(_ set: InitialConfiguration, _ command: String) -> String {
    "vault console -c \(shellWord(set.path(of: .console))) -e \(shellWord(ByteString(command)))"
  }

  /// A name as the console reads it back.
  private static func consoleWord(_ name: String) -> String {
    name.contains(" ") || name.contains("\t") ? "\"\(name)\"" : name
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
