import ArgumentParser
import Console
import Glibc
import VaultConfiguration
import VaultModel
import VaultSession

/// `vault console`
struct ConsoleCommand: RunnableCommand {
  static let configuration = CommandConfiguration(
    commandName: "console", abstract: "The operator's console.",
    discussion: """
      Without -e it reads commands from standard input, a line each. 'help' lists them. The exit status is that of the \
      command that went worst.
      """)

  @OptionGroup var options: RoleOptions

  @Option(
    name: .customShort("e"), parsing: .unconditionalSingleValue,
    help: ArgumentHelp("Do this instead of reading commands; may come several times.", valueName: "command"))
  var commands: [String] = []

  @Option(help: "The director to talk to, if console.conf has several.")
  var director: String?

  func perform(in context: CommandContext) async throws -> ExitStatus {
    if options.testConfig { return try options.test(.console, in: context) }
    guard let configuration = try options.read(.console, as: ConsoleConfiguration.self, in: context) else {
      return .usage
    }
    // What cannot be understood is refused before anything is done.
    let parsed = try commands.map { try ConsoleRequest(parsing: $0, in: context) }
    let session = try await ConsoleSession.open(configuration, director: director)
    defer { session.close() }
    let operation = ConsoleOperation(session: session, context: context, isJSON: options.json)
    if !commands.isEmpty {
      var status = ExitStatus.done
      for request in parsed { status = status.combined(with: try await operation.perform(request)) }
      return status
    }
    return try await interact(operation, in: context)
  }

  /// Reads commands until the input ends or somebody leaves.
  private func interact(_ operation: ConsoleOperation, in context: CommandContext) async throws -> ExitStatus {
    var status = ExitStatus.done
    let isTerminal = isatty(STDIN_FILENO) == 1 && context.showsProgress
    while true {
      if isTerminal { context.talk.raw("* ") }
      guard let line = try await abandonable(name: "vault-input", { readLine(strippingNewline: true) }) else { break }
      do {
        let request = try ConsoleRequest(parsing: line, in: context)
        if case .quit = request { break }
        status = status.combined(with: try await operation.perform(request))
      } catch let error as any DescribedError where !(error is TransportError) {
        // A daemon that the director cannot reach is no reason to leave the director.
        context.talk.error(error.description)
        status = status.combined(with: error.exitStatus)
      }
    }
    return status
  }
}
