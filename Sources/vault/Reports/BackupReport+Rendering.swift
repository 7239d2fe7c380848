import Console
import VaultModel

extension BackupReport: JobReport {
  /// The command's end: a job that did not come to its end failed.
  var exitStatus: ExitStatus {
    switch job.status {
    case .terminated, .terminatedWithWarnings:
      problemCount > 0 || job.status == .terminatedWithWarnings ? .doneWithProblems : .done
    case .created, .running, .failed, .canceled, .incomplete: .jobFailed
    }
  }

  private var problemCount: UInt64 { max(job.counters.problems, problemKinds.count) }

  func text(milliseconds: UInt64) -> String {
    let description = job.description
    var lines = ["Job \(description.number), \(description.level.rawValue) of \(description.tree.title), \(ending)."]
    lines.append(job.counters.seenSentence(excluded: excluded))
    lines.append(job.counters.byteSentences(milliseconds: milliseconds))
    if keptEntries > 0 || keptBytes > 0 {
      lines.append("Kept \(Figures.bytes(keptBytes)) of the interrupted attempt.")
    }
    lines += problemKinds.lines(\.text)
    return lines.map { printable($0) + "\n" }.joined()
  }

  private var ending: String {
    switch job.status {
    case .terminated where problemCount == 0: "done"
    case .terminated, .terminatedWithWarnings: "done with \(Figures.count(problemCount, "problem", "problems"))"
    case .created, .running, .failed, .canceled, .incomplete: "ended \(job.status.title)"
    }
  }

  var problemLines: [String] {
    problems.map { "\($0.path.displayText): \(FileTrouble($0).text)" }
      + ProblemWords.more(problemCount, listed: problems.count)
  }

  func writeFields(to writer: inout JSONWriter, milliseconds: UInt64) {
    writer.field("job", job.description.number)
    writer.field("level", job.description.level.rawValue)
    writer.status(job.status)
    writer.counters(job.counters)
    writer.ratio("compressionRatio", job.counters.bytesSent, job.counters.bytesStored)
    writer.field("excluded", excluded)
    writer.field("keptEntries", keptEntries)
    writer.field("keptBytes", keptBytes)
    writer.field("attempt", UInt64(job.attempt))
    writer.problems(problems.map { ($0.path, FileTrouble($0).text) }, count: problemCount)
    writer.problemKinds(problemKinds, \.text)
    writer.seconds("durationSeconds", milliseconds: milliseconds)
    writer.rate("bytesPerSecond", job.counters.bytesRead, milliseconds: milliseconds)
  }
}

extension JobCounters {
  fileprivate func seenSentence(excluded: UInt64) -> String {
    let files = Figures.count(regularFilesSeen, "file", "files")
    return "\(Figures.count(entriesSeen, "entry", "entries")) seen, \(files) of \(Figures.bytes(bytesSeen)): "
      + "\(Figures.count(new)) new, \(Figures.count(changed)) changed\(changes), \(Figures.count(deleted)) deleted, "
      + "\(Figures.count(unchanged)) unchanged"
      + (excluded > 0 ? ", \(Figures.count(excluded)) excluded." : ".")
  }

  /// What gave the changes away: ` (20 by size, 10 by date, 1 by checksum, 9 in attributes only)`.
  private var changes: String {
    let ways = [
      (changedSize, "by size"), (changedDate, "by date"), (changedChecksum, "by checksum"),
      (changedAttributes, "in attributes only"),
    ].filter { $0.0 > 0 }.map { "\(Figures.count($0.0)) \($0.1)" }
    return ways.isEmpty ? "" : " (\(ways.joined(separator: ", ")))"
  }

  fileprivate func byteSentences(milliseconds: UInt64) -> String {
    var text = "Read \(Figures.bytes(bytesRead)), stored \(Figures.bytes(bytesStored))"
    if let ratio = Figures.ratio(bytesSent, bytesStored) { text += " (\(ratio))" }
    text += ", in \(Figures.duration(milliseconds: milliseconds))"
    if bytesRead > 0, let rate = Figures.rate(bytesRead, milliseconds: milliseconds) { text += " (\(rate))" }
    guard bytesKnown > 0 else { return text + "." }
    return text
      + ". Of \(Figures.bytes(bytesChanged)) in new and changed files \(Figures.bytes(bytesKnown)) were known."
  }
}

extension Tree {
  /// What the tree saves, for a person.
  var title: String {
    name.bytes.split(separator: 0x0a).map { ByteString($0).displayText }.joined(separator: " ")
  }
}

extension FileTrouble {
  /// What happened, in words.
  var text: String {
    let cause = errorNumber == 0 ? "" : ": " + systemMessage(errorNumber)
    switch phase {
    case .examine: return "could not be examined\(cause)"
    case .open: return "could not be opened\(cause)"
    case .read: return "could not be read\(cause)"
    case .list: return "could not be listed to its end\(cause)"
    case .changed: return "changed while it was read; what was read is stored"
    case .missing: return "does not exist"
    case .attributes: return "not all of its extended attributes could be read\(cause)"
    }
  }
}
