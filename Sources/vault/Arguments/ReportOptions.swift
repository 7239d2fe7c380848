import ArgumentParser
import VaultModel

/// How a job reports: `--json`, `--json-progress`, `--quiet`.
struct ReportOptions: ParsableArguments {
  @Flag(help: "Report as one JSON object.")
  var json = false

  @Flag(help: "Tell progress as a JSON object a line; the last is the report.")
  var jsonProgress = false

  @Flag(help: "Tell only what went wrong.")
  var quiet = false

  func validate() throws {
    if jsonProgress, json || quiet {
      throw ValidationError("--json-progress excludes --json and --quiet: its last line is the report.")
    }
  }

  /// Runs a job with progress as asked for, reports its end, and gives how long it took.
  ///
  /// - Parameter changes: writes to the output while the job runs; a line of progress would be in its way.
  func run<Report: JobReport>(
    in context: CommandContext, listing changes: ChangeListing? = nil, _ job: (ProgressLine) async throws -> Report
  ) async throws -> ExitStatus {
    let start = context.clock.monotonicNanoseconds()
    let report = try await ProgressLine.during(
      context, isQuiet: quiet || changes != nil, asObjects: jsonProgress, job)
    let milliseconds = context.milliseconds(since: start)
    if json || jsonProgress {
      var writer = changes?.report() ?? .begunObject()
      if jsonProgress { writer.field("type", "report") }
      report.writeFields(to: &writer, milliseconds: milliseconds)
      writer.endObject()
      writer.endLine()
      context.output.write(writer.takeBytes())
    } else {
      if !quiet { context.output.write(report.text(milliseconds: milliseconds)) }
      for line in report.problemLines { context.talk.note(line) }
    }
    return report.exitStatus
  }
}

/// How a job ended, for people and for programs.
protocol JobReport: Sendable {
  var exitStatus: ExitStatus { get }
  /// Each problem with its reason.
  var problemLines: [String] { get }
  /// In plain words, with the problems by their kind; lines.
  func text(milliseconds: UInt64) -> String
  /// The fields of the report's JSON object.
  func writeFields(to writer: inout JSONWriter, milliseconds: UInt64)
}
