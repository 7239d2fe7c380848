import Local
import VaultModel

/// A restore's end, and where it went.
struct RestoreOutcome: JobReport {
  var report: RestoreReport
  var target: ByteString

  var exitStatus: ExitStatus {
    let status: ExitStatus = report.problemCount > 0 ? .doneWithProblems : .done
    return report.foundDamage ? status.combined(with: .damaged) : status
  }

  func text(milliseconds: UInt64) -> String {
    var sentence =
      "Restored \(Figures.count(report.entries, "entry", "entries")) "
      + "(\(Figures.count(report.files, "file", "files")), \(Figures.bytes(report.bytes))) of job \(report.job) "
      + "below \(target.displayText) in \(Figures.duration(milliseconds: milliseconds))"
    if report.bytes > 0, let rate = Figures.rate(report.bytes, milliseconds: milliseconds) { sentence += " (\(rate))" }
    if report.problemCount > 0 { sentence += ", with \(Figures.count(report.problemCount, "problem", "problems"))" }
    return ([sentence + "."] + report.problemKinds.lines { $0 }).map { printable($0) + "\n" }.joined()
  }

  var problemLines: [String] {
    report.problems.map { "\($0.path.displayText): \($0.reason)" }
      + ProblemWords.more(report.problemCount, listed: report.problems.count)
  }

  func writeFields(to writer: inout JSONWriter, milliseconds: UInt64) {
    writer.field("job", report.job)
    writer.field("entries", report.entries)
    writer.field("files", report.files)
    writer.field("bytes", report.bytes)
    writer.problems(report.problems.map { ($0.path, $0.reason) }, count: report.problemCount)
    writer.problemKinds(report.problemKinds) { $0 }
    writer.seconds("durationSeconds", milliseconds: milliseconds)
    writer.rate("bytesPerSecond", report.bytes, milliseconds: milliseconds)
  }
}
