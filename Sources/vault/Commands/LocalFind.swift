import ArgumentParser
import Console
import VaultModel

/// `vault local find`
struct LocalFind: RunnableCommand {
  static let configuration = CommandConfiguration(
    commandName: "find", abstract: "Look for names over all jobs.",
    discussion: """
      A pattern has *, ? and [a-z] as a shell has them. Without a slash it is matched against names, with one against \
      whole paths, where ** passes over slashes too.
      """)

  @Argument(help: ArgumentHelp("What to look for; quote it.", valueName: "pattern"))
  var pattern: PathArgument

  @Option(help: ArgumentHelp("The repository's directory.", valueName: "repo"))
  var from: PathArgument

  @Option(help: "Look only in the tree that was saved under this name.")
  var name: PathArgument?

  @Flag(help: "List as a JSON array.")
  var json = false

  func perform(in context: CommandContext) async throws -> ExitStatus {
    let pattern = pattern.bytes
    let table = FoundTable(output: context.output, isJSON: json)
    return try await context.withRepository(from, .existing, command: "vault local find") { [name] repository in
      try await repository.find(pattern, treeName: name?.bytes) { found in
        table.add(found)
        // Nobody reads on: the rest need not be looked for.
        if context.output.isClosed { throw CancellationError() }
      }
      table.end()
      if table.isEmpty { context.talk.note("No kept job has anything that \(pattern.displayText) matches.") }
      return table.isEmpty ? .notFound : .done
    }
  }
}
