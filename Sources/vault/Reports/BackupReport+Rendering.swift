import Local
import VaultModel

extension BackupReport {
  /// The command's end: a job that did not come to its end failed.
  var exitStatus: ExitStatus {
    switch job.status {
    case .terminated, .terminatedWithWarnings:
      problemCount > 0 || job.status == .terminatedWithWarnings ? .doneWithProblems : .done
    case .created, .running, .failed, .canceled, .incomplete: .jobFailed
    }
  }

  private var problemCount: UInt64 { max(job.counters.problems, UInt64(problems.count)) }

  /// How the job ended, in plain words.
  func sentence(milliseconds: UInt64) -> String {
    let counters = job.counters
    let seen = Figures.count(counters.entriesSeen, "entry", "entries")
    var text =
      "Job \(job.description.number) (\(job.description.level.rawValue) of \(job.description.tree.title)) \(ending) in "
      + "\(Figures.duration(milliseconds: milliseconds)): \(seen) seen, \(Figures.count(counters.new)) new, "
      + "\(Figures.count(counters.changed)) changed, \(Figures.count(counters.deleted)) deleted, "
      + "\(Figures.count(counters.unchanged)) unchanged; \(Figures.bytes(counters.bytesRead)) read, "
      + "\(Figures.bytes(counters.bytesStored)) stored"
    if keptEntries > 0 || keptBytes > 0 { text += ", kept \(Figures.bytes(keptBytes)) from the interrupted attempt" }
    return printable(text + ".")
  }

  private var ending: String {
    switch job.status {
    case .terminated where problemCount == 0: "finished OK"
    case .terminated, .terminatedWithWarnings: "finished with \(Figures.count(problemCount, "problem", "problems"))"
    case .created, .running, .failed, .canceled, .incomplete: "ended \(job.status.title)"
    }
  }

  /// Each problem with its reason.
  var problemLines: [String] {
    var lines = problems.map { "\($0.path.displayText): \($0.reason)" }
    let left = problemCount - UInt64(problems.count)
    if left > 0 { lines.append("… and \(Figures.count(left, "problem", "problems")) more.") }
    return lines
  }

  func json(milliseconds: UInt64) -> [UInt8] {
    var writer = JSONWriter()
    writer.object { writer in
      writer.field("job", job.description.number)
      writer.field("level", job.description.level.rawValue)
      writer.status(job.status)
      writer.counters(job.counters)
      writer.field("keptEntries", keptEntries)
      writer.field("keptBytes", keptBytes)
      writer.field("attempt", UInt64(job.attempt))
      writer.problems(problems.map { ($0.path, $0.reason) }, count: problemCount)
      writer.seconds("durationSeconds", milliseconds: milliseconds)
    }
    writer.endLine()
    return writer.takeBytes()
  }
}

extension Tree {
  /// What the tree saves, for a person.
  var title: String {
    name.bytes.split(separator: 0x0a).map { ByteString($0).displayText }.joined(separator: " ")
  }
}

extension FileProblem {
  var path: ByteString { name.isEmpty ? directory.path : directory.appending(name).path }

  /// What happened, in words.
  var reason: String {
    let cause = errorNumber == 0 ? "" : ": " + systemMessage(errorNumber)
    switch phase {
    case .examine: return "could not be examined\(cause)"
    case .open: return "could not be opened\(cause)"
    case .read: return "could not be read\(cause)"
    case .list: return "could not be listed to its end\(cause)"
    case .changed: return "changed while it was read; what was read is stored"
    case .missing: return "does not exist"
    }
  }
}
