import ArgumentParser
import Console
import VaultModel

/// `vault local ls`
struct LocalList: RunnableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ls", abstract: "List what was saved.",
    discussion: "Control characters in names are shown escaped; --json gives every name as it is.")

  @Option(help: ArgumentHelp("The repository's directory.", valueName: "repo"), completion: .directory)
  var from: PathArgument

  @OptionGroup var tree: TreeOptions

  @Flag(help: "List as a JSON array.")
  var json = false

  @Flag(name: .customShort("l"), help: "Show mode, owner, group, size and time.")
  var long = false

  @Flag(help: "List every version of the file or directory instead, newest first, over all jobs.")
  var versions = false

  @Argument(
    help: ArgumentHelp("List only these, paths or patterns of them, and what is below.", valueName: "path"))
  var paths: [PathArgument] = []

  func validate() throws {
    guard versions else { return }
    if paths.count != 1 { throw ValidationError("--versions needs one path.") }
    if tree.job != nil || tree.at != nil {
      throw ValidationError("--versions lists all jobs: --job and --at exclude it.")
    }
  }

  func perform(in context: CommandContext) async throws -> ExitStatus {
    if versions, let path = paths.first { return try await listVersions(try context.normalized(path), in: context) }
    let request = ListRequest(
      treeName: tree.name?.bytes, at: try tree.pointInTime(in: context), paths: try paths.map(context.choice))
    let listing = EntryTable(output: context.output, zone: context.zone, form: json ? .json : long ? .long : .short)
    return try await context.withRepository(from, .existing, command: "vault local ls") { repository in
      try await repository.list(request) { entry in
        listing.add(entry)
        // Nobody reads on: the rest need not be asked for.
        if context.output.isClosed { throw CancellationError() }
      }
      listing.end()
      return .done
    }
  }

  private func listVersions(_ path: ByteString, in context: CommandContext) async throws -> ExitStatus {
    let table = VersionTable(output: context.output, zone: context.zone, isJSON: json)
    return try await context.withRepository(from, .existing, command: "vault local ls") { [tree] repository in
      var versions: [VersionListing] = []
      try await repository.versions(of: path, treeName: tree.name?.bytes) { versions.append($0) }
      table.write(versions, of: path)
      return .done
    }
  }
}
