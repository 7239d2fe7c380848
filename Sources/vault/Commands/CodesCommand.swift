import ArgumentParser
import VaultModel
import VaultProtocol

/// `vault codes`
struct CodesCommand: RunnableCommand {
  static let configuration = CommandConfiguration(
    commandName: "codes", abstract: "Say what the daemons' status codes mean, and what to do about them.")

  @Flag(help: "List as one JSON object.")
  var json = false

  func perform(in context: CommandContext) async throws -> ExitStatus {
    context.output.write(json ? CodeTable.json() : Array(CodeTable.text().utf8))
    return .done
  }
}
