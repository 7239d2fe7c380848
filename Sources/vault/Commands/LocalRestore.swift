import ArgumentParser
import Local
import VaultModel

extension OverwriteChoice: ExpressibleByArgument {}

/// `vault local restore`
struct LocalRestore: RunnableCommand {
  static let configuration = CommandConfiguration(
    commandName: "restore", abstract: "Bring files back.",
    discussion: "Everything lands below the target under its full original path: /etc/hosts in TARGET/etc/hosts.")

  @Argument(
    help: ArgumentHelp("What to bring back, with everything below; all of it when none is given.", valueName: "path"))
  var paths: [PathArgument] = []

  @Option(help: ArgumentHelp("The repository's directory.", valueName: "repo"), completion: .directory)
  var from: PathArgument

  @Option(help: ArgumentHelp("The directory below which everything lands.", valueName: "dir"), completion: .directory)
  var to: PathArgument

  @OptionGroup var tree: TreeOptions

  @Option(help: "What happens to files that exist there already.")
  var overwrite = OverwriteChoice.always

  @Flag(help: "Restore owners and groups by number, even where their names are known.")
  var numericIds = false

  @OptionGroup var reporting: ReportOptions

  func perform(in context: CommandContext) async throws -> ExitStatus {
    let target = try context.absolute(to)
    let request = RestoreRequest(
      paths: try paths.map(context.normalized), treeName: tree.name?.bytes, at: try tree.pointInTime(in: context),
      target: target, overwrite: overwrite, usesNumericOwners: numericIds)
    return try await context.withRepository(from, .existing, command: "vault local restore") {
      [reporting] repository in
      try await reporting.run(in: context) { progress in
        RestoreOutcome(
          report: try await repository.restore(request) { progress.show($0) }, target: target)
      }
    }
  }
}
