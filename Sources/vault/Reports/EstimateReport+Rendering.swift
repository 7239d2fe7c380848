import Console
import VaultModel

extension EstimateReport: JobReport {
  var exitStatus: ExitStatus { problemCount > 0 ? .doneWithProblems : .done }

  private var problemCount: UInt64 { max(estimate.problems, problemKinds.count) }

  func text(milliseconds: UInt64) -> String {
    let job = continuedJob.map { "go on with job \($0)" } ?? "be \(level.rawValue)"
    let files = Figures.count(estimate.regularFilesSeen, "file", "files")
    let excluded = estimate.excluded > 0 ? ", \(Figures.count(estimate.excluded)) excluded" : ""
    let lines = [
      "A dry run: nothing was written. The backup would \(job).",
      "\(Figures.count(estimate.entriesSeen, "entry", "entries")) seen, \(files) of \(Figures.bytes(estimate.bytesSeen)): "
        + "\(Figures.count(estimate.new)) new, \(Figures.count(estimate.changed)) changed, "
        + "\(Figures.count(estimate.deleted)) deleted, \(Figures.count(estimate.unchanged)) unchanged\(excluded).",
      "\(Figures.bytes(estimate.bytesToRead)) to read; found in \(Figures.duration(milliseconds: milliseconds)).",
    ]
    return (lines + problemKinds.lines(\.text)).map { printable($0) + "\n" }.joined()
  }

  var problemLines: [String] {
    problems.map { "\($0.path.displayText): \(FileTrouble($0).text)" }
      + ProblemWords.more(problemCount, listed: problems.count)
  }

  func writeFields(to writer: inout JSONWriter, milliseconds: UInt64) {
    writer.field("dryRun", true)
    writer.field("level", level.rawValue)
    if let continuedJob { writer.field("continuesJob", continuedJob) } else { writer.null("continuesJob") }
    writer.field("entriesSeen", estimate.entriesSeen)
    writer.field("regularFilesSeen", estimate.regularFilesSeen)
    writer.field("bytesSeen", estimate.bytesSeen)
    writer.field("new", estimate.new)
    writer.field("changed", estimate.changed)
    writer.field("deleted", estimate.deleted)
    writer.field("unchanged", estimate.unchanged)
    writer.field("excluded", estimate.excluded)
    writer.field("bytesToRead", estimate.bytesToRead)
    writer.problems(problems.map { ($0.path, FileTrouble($0).text) }, count: problemCount)
    writer.problemKinds(problemKinds, \.text)
    writer.seconds("durationSeconds", milliseconds: milliseconds)
  }
}
