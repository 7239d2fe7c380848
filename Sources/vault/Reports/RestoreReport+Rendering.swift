import Console
import VaultModel

/// A restore's end, and where it went.
struct RestoreOutcome: JobReport {
  var report: RestoreReport
  var target: ByteString
  /// Whether nothing was written.
  var isTrial: Bool

  var exitStatus: ExitStatus {
    let status: ExitStatus = report.problemCount > 0 ? .doneWithProblems : .done
    return report.foundDamage ? status.combined(with: .damaged) : status
  }

  func text(milliseconds: UInt64) -> String {
    let place = target == "/" ? "in place" : "below \(target.displayText)"
    let what =
      "\(Figures.count(report.entries, "entry", "entries")) "
      + "(\(Figures.count(report.files, "file", "files")), \(Figures.bytes(report.bytes))) of job \(report.job) \(place)"
    var sentence =
      isTrial ? "Would restore \(what)" : "Restored \(what) in \(Figures.duration(milliseconds: milliseconds))"
    if !isTrial, report.bytes > 0, let rate = Figures.rate(report.bytes, milliseconds: milliseconds) {
      sentence += " (\(rate))"
    }
    if report.replacedCount > 0 {
      sentence += ", replacing \(Figures.count(report.replacedCount, "that exists", "that exist"))"
    }
    if report.keptCount > 0 { sentence += ", keeping \(Figures.count(report.keptCount, "that exists", "that exist"))" }
    let others = report.problemCount - min(report.problemCount, report.keptCount)
    if others > 0 { sentence += ", with \(Figures.count(others, "problem", "problems"))" }
    return ([sentence + "."] + report.problemKinds.lines { $0 }).map { printable($0) + "\n" }.joined()
  }

  var problemLines: [String] {
    report.problems.map { "\($0.path.displayText): \($0.reason)" }
      + ProblemWords.more(report.problemCount, listed: report.problems.count)
      + (report.keptCount > 0 ? ["--overwrite newer or --overwrite always replaces what exists."] : [])
  }

  func writeFields(to writer: inout JSONWriter, milliseconds: UInt64) {
    writer.field("job", report.job)
    writer.field("entries", report.entries)
    writer.field("files", report.files)
    writer.field("bytes", report.bytes)
    writer.field("kept", report.keptCount)
    if isTrial {
      writer.field("dryRun", true)
      writer.field("replaced", report.replacedCount)
    }
    writer.problems(report.problems.map { ($0.path, $0.reason) }, count: report.problemCount)
    writer.problemKinds(report.problemKinds) { $0 }
    writer.seconds("durationSeconds", milliseconds: milliseconds)
    writer.rate("bytesPerSecond", report.bytes, milliseconds: milliseconds)
  }
}
