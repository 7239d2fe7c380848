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

  @Option(help: ArgumentHelp("The repository's directory.", valueName: "repo"))
  var from: PathArgument

  @Option(help: ArgumentHelp("The directory below which everything lands.", valueName: "dir"))
  var to: PathArgument

  @OptionGroup var tree: TreeOptions

  @Option(help: "What happens to files that exist there already.")
  var overwrite = OverwriteChoice.always

  @Flag(help: "Report as one JSON object.")
  var json = false

  @Flag(help: "Tell only what went wrong.")
  var quiet = false

  func perform(in context: CommandContext) async throws -> ExitStatus {
    let target = try context.absolute(to)
    let request = RestoreRequest(
      paths: try paths.map(context.normalized), treeName: tree.name?.bytes, at: try tree.pointInTime(in: context),
      target: target, overwrite: overwrite)
    return try await context.withRepository(from, .existing, command: "vault local restore") {
      [json, quiet] repository in
      let start = context.clock.monotonicNanoseconds()
      let report = try await ProgressLine.during(context, isQuiet: quiet) { progress in
        try await repository.restore(request) { progress.show($0) }
      }
      let milliseconds = context.milliseconds(since: start)
      if json {
        context.output.write(report.json(milliseconds: milliseconds))
      } else {
        if !quiet { context.output.write(report.sentence(target: target, milliseconds: milliseconds) + "\n") }
        for line in report.problemLines { context.talk.note(line) }
      }
      return report.exitStatus
    }
  }
}
