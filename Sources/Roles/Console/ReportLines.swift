import VaultModel
import VaultProtocol

extension JobListing {
  /// Reads the director's line about a job.
  init(_ line: ControlLine) throws {
    guard let number = JobNumber(try line.word(0).text ?? ""), let level = JobLevel(rawValue: try line.text("level")),
      let status = JobStatus(rawValue: Character(try line.text("status")))
    else { throw ControlError(.malformedField("job"), line: line.verb) }
    let description = JobDescription(
      number: number, session: try line.identifier("session"),
      tree: Tree(host: try line.text("host"), name: line["name"] ?? ""), level: level,
      sequence: try line.integer("sequence"), baseSequence: try line.integer("base"),
      created: Timestamp(nanoseconds: try line.integer("created")), paths: [])
    self.init(
      description: description, status: status, attempt: try line.integer("attempt"),
      commits: try line.integer("commits"),
      ended: line["ended"] == nil ? nil : Timestamp(nanoseconds: try line.integer("ended")),
      counters: try JobCounters(line))
  }
}

extension JobProgress {
  /// Reads a progress line.
  init(_ line: ControlLine) throws {
    self.init()
    entriesSeen = try line.integer("entries")
    bytesDone = try line.integer("bytes")
    bytesRead = try line.integer("read")
    bytesSent = try line.integer("sent")
    problems = try line.integer("problems")
    path = line["path"] ?? ""
    if line["total-entries"] != nil {
      totals = Totals(entries: try line.integer("total-entries"), bytes: try line.integer("total-bytes"))
    }
  }
}

extension RestoreProblem {
  /// Reads the line of a path that could not be restored; its reason may name the path below the target again, where it
  /// has lost its first components.
  init(_ line: ControlLine, below target: ByteString, stripping count: Int = 0) throws {
    let path = line["path"] ?? ""
    var reason = Substring(try line.text("reason"))
    let above = target.bytes.last == 0x2f ? target.bytes.dropLast() : target.bytes[...]
    let below = path.bytes.split(separator: 0x2f).dropFirst(count).flatMap { [0x2f] + $0 }
    for shown in [path, ByteString(above + below)] {
      let prefix = shown.displayText + ": "
      if reason.hasPrefix(prefix) { reason = reason.dropFirst(prefix.count) }
    }
    self.init(path: path, reason: String(reason))
  }
}

extension FileProblem {
  /// The path that the problem is about; a directory's own when it could not be listed.
  package var path: ByteString { name.isEmpty ? directory.path : directory.appending(name).path }

  /// Reads a line about a problem.
  init(_ line: ControlLine) throws {
    guard let phase = ProblemPhase(rawValue: try line.integer("phase")) else {
      throw ControlError(.malformedField("phase"), line: line.verb)
    }
    self.init(
      directory: DirectoryKey(path: line["directory"] ?? "/"), name: line["name"] ?? "", phase: phase,
      errorNumber: try line.integer("errno"))
  }
}
