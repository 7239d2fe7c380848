import ArgumentParser
import Console
import Local
import Synchronization
import VaultModel

/// `vault volume extract`
struct VolumeExtract: RunnableCommand {
  static let configuration = CommandConfiguration(
    commandName: "extract", abstract: "Bring files back from volumes alone.",
    discussion: """
      Takes the newest complete job of every tree, or the one named. What a job refers to must lie on the volumes given; \
      damage costs what it hit, and nothing else. Everything lands below the target under its full original path.
      """)

  @Argument(help: ArgumentHelp("The volumes, or directories that hold them.", valueName: "volume"))
  var volumes: [PathArgument]

  @Option(help: ArgumentHelp("The directory below which everything lands.", valueName: "dir"))
  var to: PathArgument

  @Option(help: ArgumentHelp("What this job left.", valueName: "id"), transform: OptionText.job)
  var job: JobNumber?

  @Option(help: ArgumentHelp("What the job of this session left.", valueName: "uuid"))
  var session: String?

  @Option(
    help: ArgumentHelp(
      "Only this path or pattern, with all below; may be repeated. Without it everything comes back.", valueName: "path"
    ))
  var path: [PathArgument] = []

  @Option(help: "What happens to files that exist there already.")
  var overwrite = OverwriteChoice.never

  @Flag(help: "Report as one JSON object.")
  var json = false

  @Flag(help: "Tell only what went wrong.")
  var quiet = false

  func validate() throws {
    if job != nil, session != nil { throw ValidationError("--job and --session exclude each other.") }
    if let session, UniqueIdentifier(text: session) == nil {
      throw ValidationError("expected a session's UUID, as vault volume list shows it")
    }
  }

  private var choice: ExtractChoice {
    if let job { return .job(job) }
    return session.flatMap { UniqueIdentifier(text: $0) }.map { .session($0) } ?? .latest
  }

  func perform(in context: CommandContext) async throws -> ExitStatus {
    let (paths, wanted) = (try volumes.map(context.absolute), try path.map(context.choice))
    let (target, choice, overwrite) = (try context.absolute(to), choice, overwrite)
    let start = context.clock.monotonicNanoseconds()
    var report = try await ProgressLine.during(context, isQuiet: quiet) { progress in
      try await VolumeScanning.use(paths) { volumes in
        var report = ExtractReport(damage: volumes.scanDamage)
        for job in try await volumes.jobs(choice) {
          do {
            let restored = try await volumes.extract(job, paths: wanted, to: target, overwrite: overwrite) {
              progress.show($0)
            }
            report.add(RestoreOutcome(report: restored, target: target, isTrial: false), of: job)
          } catch let error as any DescribedError where error.exitStatus == .notFound && !wanted.isEmpty {
            // Another tree may have the path.
            report.missing.append(error.description)
          }
        }
        return report
      }
    }
    if !report.restored.isEmpty { report.missing = [] }
    let milliseconds = context.milliseconds(since: start)
    if json {
      context.output.write(report.json(milliseconds: milliseconds))
      for line in report.missing { context.talk.note(line) }
    } else {
      if !quiet { context.output.write(report.text(milliseconds: milliseconds)) }
      for line in report.problemLines { context.talk.note(line) }
    }
    return report.exitStatus
  }
}
