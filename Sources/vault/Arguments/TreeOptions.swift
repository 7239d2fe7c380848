import ArgumentParser
import Console
import VaultModel
import VaultScheduler

/// Which tree, as at which job: `--name`, `--job`, `--at`.
struct TreeOptions: ParsableArguments {
  @Option(
    help: "The tree that was saved under this name; needed when the repository holds several.", completion: .default)
  var name: PathArgument?

  @Option(
    help: ArgumentHelp("The tree as this job left it.", valueName: "id"),
    transform: OptionText.job)
  var job: JobNumber?

  @Option(
    help: ArgumentHelp(
      "The tree as at a time: 2026-01-31 (the end of that day), \"2026-01-31 14:30\", 2026-01-31T14:30:00Z, "
        + "or how long ago: 3d.",
      valueName: "time"),
    transform: OptionText.time)
  var at: TimeExpression?

  func validate() throws {
    if job != nil, at != nil { throw ValidationError("--job and --at exclude each other.") }
  }

  func pointInTime(in context: CommandContext) throws -> PointInTime {
    if let job { return .job(job) }
    guard let at else { return .latest }
    return .instant(try at.resolve(now: context.clock.now(), zone: context.zone))
  }
}
