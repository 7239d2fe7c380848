import ArgumentParser
import Console
import VaultModel

/// `vault local diff`
struct LocalDiff: RunnableCommand {
  static let configuration = CommandConfiguration(
    commandName: "diff", abstract: "Tell what changed between two jobs of one tree.",
    discussion: "A line is + for what is new, - for what is gone, M for what changed, and in what.")

  @Option(
    help: ArgumentHelp("Two jobs, the one to compare with first; give it twice.", valueName: "id"),
    transform: OptionText.job)
  var job: [JobNumber]

  @Option(help: ArgumentHelp("The repository's directory.", valueName: "repo"))
  var from: PathArgument

  @Flag(help: "List as a JSON array.")
  var json = false

  @Argument(help: "Compare only this and what is below it.")
  var path: PathArgument?

  func validate() throws {
    guard job.count == 2 else { throw ValidationError("expected two jobs: --job A --job B") }
  }

  func perform(in context: CommandContext) async throws -> ExitStatus {
    let path = try path.map(context.normalized)
    let table = DifferenceTable(output: context.output, isJSON: json)
    return try await context.withRepository(from, .existing, command: "vault local diff") { [job] repository in
      try await repository.diff(job[0], job[1], path: path) { change in
        table.add(change)
        if context.output.isClosed { throw CancellationError() }
      }
      table.end()
      return .done
    }
  }
}
