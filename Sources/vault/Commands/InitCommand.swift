import ArgumentParser
import VaultConfiguration
import VaultModel
import VaultSystem

/// `vault init`
struct InitCommand: RunnableCommand {
  static let configuration = CommandConfiguration(
    commandName: "init", abstract: "Write a working configuration with fresh random keys.",
    discussion: """
      Writes dir.conf, sd.conf, fd.conf and console.conf, and says which commands to type next. A file that is there is \
      never overwritten.
      """)

  @Argument(help: ArgumentHelp("Where the files go; it is made when it does not exist.", valueName: "dir"))
  var directory: PathArgument

  @Option(help: "What the director is called (default: the host's name and -dir).", transform: OptionText.resourceName)
  var director: String?

  @Option(
    help: "What this machine is called as a client (default: the host's name and -fd).",
    transform: OptionText.resourceName)
  var client: String?

  @Option(help: "Where the catalog is: in a file, or on a database server.")
  var catalog = InitialConfiguration.Catalog.sqlite

  @Option(help: ArgumentHelp("The directory for volumes.", valueName: "dir"))
  var store: PathArgument?

  @Flag(help: "Report as one JSON object.")
  var json = false

  func perform(in context: CommandContext) async throws -> ExitStatus {
    let set = InitialConfiguration(
      directory: try context.normalized(directory), hostName: CurrentProcess.hostName, directorName: director,
      clientName: client, catalog: catalog, store: try store.map(context.normalized))
    var generator = SystemRandomNumberGenerator()
    try set.write(using: &generator)
    context.output.write(json ? InitialCommands.json(set) : Array(InitialCommands.text(set).utf8))
    return .done
  }
}

extension InitialConfiguration.Catalog: ExpressibleByArgument {}
