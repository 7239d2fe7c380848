import ArgumentParser
import Console
import VaultConfiguration
import VaultModel

/// `vault local drop`
struct LocalDrop: RunnableCommand {
  static let configuration = CommandConfiguration(
    commandName: "drop", abstract: "Drop jobs by number or by rule, and give back the room they took.",
    discussion: """
      What kept jobs need stays, whichever job saved it. Rules look at each tree by itself; a job stays when any rule \
      keeps it, and the newest one always. A volume goes when nothing in it is needed; with --compact, one that little of \
      is needed is rewritten, too.
      """)

  @Option(parsing: .upToNextOption, help: ArgumentHelp("Drop these jobs.", valueName: "id"), transform: OptionText.job)
  var job: [JobNumber] = []

  @Option(help: ArgumentHelp("Keep the newest jobs.", valueName: "count"), transform: OptionText.count)
  var keepLast: UInt32?

  @Option(
    help: ArgumentHelp("Keep the newest job of each of the last days that have one.", valueName: "count"),
    transform: OptionText.count)
  var keepDaily: UInt32?

  @Option(
    help: ArgumentHelp("The same by weeks; they begin on Monday.", valueName: "count"), transform: OptionText.count)
  var keepWeekly: UInt32?

  @Option(help: ArgumentHelp("The same by months.", valueName: "count"), transform: OptionText.count)
  var keepMonthly: UInt32?

  @Option(help: ArgumentHelp("The same by years.", valueName: "count"), transform: OptionText.count)
  var keepYearly: UInt32?

  @Option(
    help: ArgumentHelp("Keep all jobs that ended within this time before now, such as 30d.", valueName: "duration"),
    transform: OptionText.duration)
  var keepWithin: UInt64?

  @Flag(help: "Rewrite volumes of which little is needed; also without dropping anything.")
  var compact = false

  @Option(help: "Drop only jobs of the tree that was saved under this name.")
  var name: PathArgument?

  @Option(help: ArgumentHelp("The repository's directory.", valueName: "repo"))
  var from: PathArgument

  @Flag(help: "Tell what would be dropped and rewritten and why, and change nothing.")
  var dryRun = false

  @Flag(help: "Report as one JSON object.")
  var json = false

  @Flag(help: "Tell only what went wrong.")
  var quiet = false

  func validate() throws {
    let hasRule =
      keepLast != nil || keepDaily != nil || keepWeekly != nil || keepMonthly != nil || keepYearly != nil
      || keepWithin != nil
    guard hasRule || !job.isEmpty || compact else {
      throw ValidationError("expected --job, a rule such as --keep-last 10, or --compact")
    }
  }

  func perform(in context: CommandContext) async throws -> ExitStatus {
    var request = DropRequest(treeName: name?.bytes, jobs: job, isDryRun: dryRun)
    request.keepLast = keepLast
    request.keepDaily = keepDaily
    request.keepWeekly = keepWeekly
    request.keepMonthly = keepMonthly
    request.keepYearly = keepYearly
    request.keepWithin = keepWithin
    request.compacts = compact
    let wanted = request
    return try await context.withRepository(from, .existing, command: "vault local drop") { [json, quiet] repository in
      let report = try await ProgressLine.during(context, isQuiet: quiet) { progress in
        try await repository.drop(wanted) { progress.show($0) }
      }
      if json {
        context.output.write(report.json())
      } else if !quiet {
        context.output.write(report.text(zone: context.zone))
      }
      for volume in report.volumes ?? [] where volume.action == .fail { context.talk.note(volume.reason) }
      return report.status
    }
  }
}
