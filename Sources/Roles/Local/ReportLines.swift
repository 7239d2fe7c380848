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
    bytesSeen = try line.integer("bytes")
    bytesSent = try line.integer("sent")
    problems = try line.integer("problems")
  }
}
