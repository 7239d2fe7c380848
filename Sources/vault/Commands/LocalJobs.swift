import ArgumentParser
import VaultModel

/// `vault local jobs`
struct LocalJobs: RunnableCommand {
  static let configuration = CommandConfiguration(commandName: "jobs", abstract: "List the jobs of a repository.")

  @Option(help: ArgumentHelp("The repository's directory.", valueName: "repo"), completion: .directory)
  var from: PathArgument

  @Flag(help: "List as a JSON array.")
  var json = false

  func perform(in context: CommandContext) async throws -> ExitStatus {
    try await context.withRepository(from, .existing, command: "vault local jobs") { [json] repository in
      let jobs = try await repository.jobs()
      if json {
        context.output.write(JobTable.json(jobs))
      } else {
        context.output.write(JobTable.text(jobs, zone: context.zone))
      }
      return .done
    }
  }
}
