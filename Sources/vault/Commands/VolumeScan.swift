import ArgumentParser
import VaultModel
import VolumeTools

/// `vault volume scan`
struct VolumeScan: RunnableCommand {
  static let configuration = CommandConfiguration(
    commandName: "scan", abstract: "Rebuild a repository's catalog from volumes alone.")

  @Argument(help: ArgumentHelp("The volumes, or directories that hold them.", valueName: "volume"))
  var volumes: [PathArgument]

  @Option(help: ArgumentHelp("The repository's directory.", valueName: "repo"), completion: .directory)
  var to: PathArgument

  @Flag(help: "Report as one JSON object.")
  var json = false

  @Flag(help: "Tell only what went wrong.")
  var quiet = false

  func perform(in context: CommandContext) async throws -> ExitStatus {
    let report = try await context.scanVolumes(try volumes.map(context.absolute), try context.absolute(to))
    if json {
      context.output.write(ScanTable.json(report))
    } else {
      if !quiet { context.output.write(ScanTable.text(report)) }
      for note in report.notes { context.talk.note(note) }
    }
    return report.foundDamage ? .damaged : .done
  }
}
