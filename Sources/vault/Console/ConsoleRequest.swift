import Console
import VaultModel
import VaultProtocol
import VaultScheduler

/// What a person asks for in the console, as one line: words and `keyword=value`, quoted where they have spaces.
enum ConsoleRequest: Sendable {
  case nothing
  case help
  case quit
  case version
  case messages
  case run(job: String, level: String?, waits: Bool)
  case continueJob(JobNumber, waits: Bool)
  case cancel(JobNumber)
  case wait(JobNumber)
  case status(ControlLine)
  case listJobs(ControlLine)
  case listLog(JobNumber)
  case listFiles(JobNumber, [PathChoice])
  case restore(ControlLine, [PathChoice], waits: Bool)

  /// Reads a line.
  ///
  /// - Throws: `ConsoleMistake`.
  init(parsing text: String, in context: CommandContext) throws {
    var words = try ConsoleWords(text)
    guard let verb = words.take() else {
      self = .nothing
      return
    }
    switch verb {
    case "help": self = .help
    case "quit", "exit": self = .quit
    case "version": self = .version
    case "messages": self = .messages
    case "run": self = try Self.run(&words)
    case "continue":
      let waits = words.flag("wait")
      self = .continueJob(try words.number("job"), waits: waits)
    case "cancel": self = .cancel(try words.number("job"))
    case "wait": self = .wait(try words.number("job"))
    case "status": self = .status(try Self.status(&words))
    case "list": self = try Self.list(&words, context)
    case "restore": self = try Self.restore(&words, context)
    default: throw ConsoleMistake.unknownCommand(verb)
    }
    try words.finish()
  }

  private static func run(_ words: inout ConsoleWords) throws -> ConsoleRequest {
    guard let job = words.value("job") ?? words.take() else { throw ConsoleMistake.missing("job=NAME", "run") }
    let level = words.value("level")?.lowercased()
    if let level, level != "auto", JobLevel(rawValue: level) == nil {
      throw ConsoleMistake.badValue("level", level, "auto, full, differential or incremental")
    }
    return .run(job: job, level: level, waits: words.flag("wait"))
  }

  private static func status(_ words: inout ConsoleWords) throws -> ControlLine {
    for keyword in ["client", "storage"] {
      if let name = words.value(keyword) { return ControlLine("status \(keyword)", words: [ByteString(name)]) }
    }
    guard let word = words.take(), ["director", "dir"].contains(word) else {
      throw ConsoleMistake.missing("director, client=NAME or storage=NAME", "status")
    }
    return ControlLine("status director")
  }

  private static func list(_ words: inout ConsoleWords, _ context: CommandContext) throws -> ConsoleRequest {
    switch words.take() {
    case "jobs":
      var line = ControlLine("list runs")
      if let client = words.value("client") { line.set("client", client) }
      if words.has("limit") { line.set("limit", try words.number("limit")) }
      if words.has("job") { line.set("job", try words.number("job")) }
      return .listJobs(line)
    case "joblog": return .listLog(try words.number("job"))
    case "files": return .listFiles(try words.number("job"), try Self.paths(&words, context))
    default: throw ConsoleMistake.missing("jobs, files or joblog", "list")
    }
  }

  private static func restore(_ words: inout ConsoleWords, _ context: CommandContext) throws -> ConsoleRequest {
    var line = ControlLine("restore")
    if words.has("job") { line.set("job", try words.number("job")) }
    if let client = words.value("client") { line.set("host", client) }
    if let fileSet = words.value("fileset") { line.set("name", fileSet) }
    if let time = words.value("at") {
      guard let expression = try? TimeExpression(reading: time) else {
        throw ConsoleMistake.badValue("at", time, "a time such as 2026-01-31, or how long ago: 3d")
      }
      line.set("at", try expression.resolve(now: context.clock.now(), zone: context.zone).nanoseconds)
    }
    if let client = words.value("to") { line.set("to-client", client) }
    if let target = words.value("where") {
      guard target.hasPrefix("/") else { throw ConsoleMistake.badValue("where", target, "an absolute path") }
      line.set("target", target)
    }
    if let name = words.value("restorejob") { line.set("restore-job", name) }
    if line["job"] == nil, line["host"] == nil, line["restore-job"] == nil {
      throw ConsoleMistake.missing("job=NUMBER or client=NAME", "restore")
    }
    if let replacement = words.value("replace")?.lowercased() {
      let known = ["never": "never", "ifnewer": "newer", "always": "always"]
      guard let overwrite = known[replacement] else {
        throw ConsoleMistake.badValue("replace", replacement, "never, ifnewer or always")
      }
      line.set("overwrite", overwrite)
    }
    let waits = words.flag("wait")
    let isAll = words.flag("all")
    let paths = try Self.paths(&words, context)
    guard isAll != !paths.isEmpty else { throw ConsoleMistake.missing("paths, or all", "restore") }
    return .restore(line, paths, waits: waits)
  }

  /// What is left of the words as absolute paths.
  private static func paths(_ words: inout ConsoleWords, _ context: CommandContext) throws -> [PathChoice] {
    var paths: [PathChoice] = []
    while let word = words.take() {
      guard word.hasPrefix("/") else { throw ConsoleMistake.badValue("path", word, "an absolute path") }
      guard let path = PathArgument(argument: word) else { throw ConsoleMistake.badValue("path", word, "a path") }
      paths.append(try context.choice(path))
    }
    return paths
  }

  static let helpText = """
    run job=NAME [level=full|differential|incremental|auto] [wait]
                                       start a job of dir.conf; says its number
    continue job=NUMBER [wait]         let a job go on that is incomplete, failed or canceled
    cancel job=NUMBER                  stop a job that waits or runs
    wait job=NUMBER                    wait until a job is over
    status director | client=NAME | storage=NAME
    list jobs [client=NAME] [limit=NUMBER] [job=NUMBER]
    list files job=NUMBER [PATH...]    what a job saved, or its tree as it left it
    list joblog job=NUMBER             what a job had to say; 0 is the director's own log
    restore job=NUMBER | client=NAME [fileset=NAME] [at=TIME]
            [to=CLIENT] [where=DIRECTORY] [replace=never|ifnewer|always] [restorejob=NAME] [wait] all | PATH...
    messages                           what happened since somebody last asked
    version, help, quit

    """
}

/// The words of a console's line.
struct ConsoleWords {
  private var plain: [String] = []
  private var values: [(keyword: String, value: String)] = []

  /// - Throws: `ConsoleMistake.openQuote`.
  init(_ text: String) throws(ConsoleMistake) {
    var word = ""
    var hasWord = false
    var quotes = false
    var keyword: String?
    func end(_ plain: inout [String], _ values: inout [(keyword: String, value: String)]) {
      if let keyword { values.append((keyword.lowercased(), word)) } else if hasWord { plain.append(word) }
    }
    for character in text {
      switch character {
      case "\"":
        quotes.toggle()
        hasWord = true
      case " ", "\t":
        if quotes {
          word.append(character)
        } else {
          end(&plain, &values)
          (word, hasWord, keyword) = ("", false, nil)
        }
      case "=" where !quotes && keyword == nil && hasWord && word.first?.isLetter == true:
        keyword = word
        word = ""
      default:
        word.append(character)
        hasWord = true
      }
    }
    if quotes { throw .openQuote }
    end(&plain, &values)
  }

  /// Takes the next plain word.
  mutating func take() -> String? { plain.isEmpty ? nil : plain.removeFirst() }

  func has(_ keyword: String) -> Bool { values.contains { $0.keyword == keyword } }

  /// Takes the value of a keyword.
  mutating func value(_ keyword: String) -> String? {
    guard let index = values.firstIndex(where: { $0.keyword == keyword }) else { return nil }
    return values.remove(at: index).value
  }

  /// Takes a number that must be there; `jobid` stands for `job`.
  mutating func number(_ keyword: String) throws(ConsoleMistake) -> UInt64 {
    guard let text = value(keyword) ?? (keyword == "job" ? value("jobid") : nil) ?? take() else {
      throw .missing("\(keyword)=NUMBER", keyword)
    }
    guard let number = UInt64(text) else { throw .badValue(keyword, text, "a number") }
    return number
  }

  /// Takes a plain word wherever it stands.
  mutating func flag(_ word: String) -> Bool {
    guard let index = plain.firstIndex(of: word) else { return false }
    plain.remove(at: index)
    return true
  }

  /// - Throws: `ConsoleMistake.notExpected` when something is left.
  func finish() throws(ConsoleMistake) {
    if let word = values.first.map({ $0.keyword + "=" + $0.value }) ?? plain.first { throw .notExpected(word) }
  }
}

/// Why a line is no command.
enum ConsoleMistake: DescribedError, Hashable {
  case openQuote
  case unknownCommand(String)
  case missing(String, String)
  case badValue(String, String, String)
  case notExpected(String)

  var exitStatus: ExitStatus { .usage }
  var description: String {
    switch self {
    case .openQuote: "A quote is not closed."
    case .unknownCommand(let verb): "'\(verb)' is no command; 'help' lists them."
    case .missing(let what, let command): "\(command): expected \(what)."
    case .badValue(let keyword, let value, let expected): "\(keyword): '\(value)' is not \(expected)."
    case .notExpected(let word): "'\(word)' is not expected here; 'help' lists the commands."
    }
  }
}
