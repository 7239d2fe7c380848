import Console
import VaultModel

/// What `vault volume extract` did, job by job.
struct ExtractReport: Sendable {
  struct Restored: Sendable {
    var job: JobListing
    var outcome: RestoreOutcome
  }

  /// What is wrong with the volumes, in words.
  var damage: [String]
  var restored: [Restored] = []
  /// Why nothing came back, of each tree that was asked.
  var missing: [String] = []

  init(damage: [String]) { self.damage = damage }

  mutating func add(_ outcome: RestoreOutcome, of job: JobListing) {
    restored.append(Restored(job: job, outcome: outcome))
  }

  var exitStatus: ExitStatus {
    var status = damage.isEmpty ? ExitStatus.done : .damaged
    if !missing.isEmpty { status = status.combined(with: .notFound) }
    for restored in restored { status = status.combined(with: restored.outcome.exitStatus) }
    return status
  }

  func text(milliseconds: UInt64) -> String {
    restored.map { restored in
      let tree = printable(restored.job.description.tree.title)
      let kind = restored.job.status.isPublished ? "" : "That job is not complete: only what it had saved came back.\n"
      return "\(tree): \(restored.outcome.text(milliseconds: milliseconds))\(kind)"
    }.joined()
  }

  var problemLines: [String] { damage + missing + restored.flatMap { $0.outcome.problemLines } }

  func json(milliseconds: UInt64) -> [UInt8] {
    var writer = JSONWriter()
    writer.object { writer in
      writer.key("jobs")
      writer.array { writer in
        for restored in restored {
          writer.object { writer in
            writer.field("job", restored.job.description.number)
            writer.field("session", restored.job.description.session.text)
            writer.key("tree")
            writer.object { writer in
              writer.field("host", restored.job.description.tree.host)
              writer.field("name", restored.job.description.tree.name)
            }
            writer.status(restored.job.status)
            let report = restored.outcome.report
            writer.field("entries", report.entries)
            writer.field("files", report.files)
            writer.field("bytes", report.bytes)
            writer.problems(report.problems.map { ($0.path, $0.reason) }, count: report.problemCount)
          }
        }
      }
      writer.key("damage")
      writer.array { writer in for text in damage + missing { writer.element(text) } }
      writer.seconds("durationSeconds", milliseconds: milliseconds)
    }
    writer.endLine()
    return writer.takeBytes()
  }
}
