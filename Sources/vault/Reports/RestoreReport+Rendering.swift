import Local
import VaultModel

extension RestoreReport {
  var exitStatus: ExitStatus {
    let status: ExitStatus = problemCount > 0 ? .doneWithProblems : .done
    return foundDamage ? status.combined(with: .damaged) : status
  }

  /// How the restore ended, in plain words.
  func sentence(target: ByteString, milliseconds: UInt64) -> String {
    var text =
      "Restored \(Figures.count(entries, "entry", "entries")) (\(Figures.count(files, "file", "files")), "
      + "\(Figures.bytes(bytes))) of job \(job) below \(target.displayText) in \(Figures.duration(milliseconds: milliseconds))"
    if problemCount > 0 { text += ", with \(Figures.count(problemCount, "problem", "problems"))" }
    return text + "."
  }

  /// Each problem with its reason.
  var problemLines: [String] {
    var lines = problems.map { "\($0.path.displayText): \($0.reason)" }
    if problemCount > UInt64(problems.count) {
      lines.append("… and \(Figures.count(problemCount - UInt64(problems.count), "problem", "problems")) more.")
    }
    return lines
  }

  func json(milliseconds: UInt64) -> [UInt8] {
    var writer = JSONWriter()
    writer.object { writer in
      writer.field("job", job)
      writer.field("entries", entries)
      writer.field("files", files)
      writer.field("bytes", bytes)
      writer.problems(problems.map { ($0.path, $0.reason) }, count: problemCount)
      writer.seconds("durationSeconds", milliseconds: milliseconds)
    }
    writer.endLine()
    return writer.takeBytes()
  }
}
