import ArgumentParser
import Console
import VaultModel

/// `vault volume verify`
struct VolumeVerify: RunnableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify", abstract: "Check volumes by themselves: every block, group and file digest.",
    discussion: "What a truncation between two blocks took cannot be missed without a catalog; see vault local verify.")

  @Argument(help: ArgumentHelp("The volumes, or directories that hold them.", valueName: "volume"))
  var volumes: [PathArgument]

  @Flag(help: "Report as one JSON object.")
  var json = false

  @Flag(help: "Tell only what is wrong.")
  var quiet = false

  func perform(in context: CommandContext) async throws -> ExitStatus {
    let start = context.clock.monotonicNanoseconds()
    let paths = try volumes.map(context.absolute)
    let report = try await ProgressLine.during(context, isQuiet: quiet) { progress in
      try await VolumeScanning.use(paths) { volumes in try await volumes.verify { progress.show($0) } }
    }
    let milliseconds = context.milliseconds(since: start)
    context.tell(report, readingData: true, milliseconds: milliseconds, json: json, quiet: quiet)
    return report.foundDamage ? .damaged : .done
  }
}
