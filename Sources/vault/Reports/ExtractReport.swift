import Local
import VaultModel

/// What `vault volume extract` did, job by job.
struct ExtractReport: Sendable {
  struct Restored: Sendable {
    var job: JobListing
    var report: RestoreReport
  }

  /// What is wrong with the volumes, in words.
  var damage: [String]
  var restored: [Restored] = []
  /// Why nothing came back, of each tree that was asked.
  var missing: [String] = []

  init(damage: [String]) { self.damage = damage }

  mutating func add(_ report: RestoreReport, of job: JobListing) {
    restored.append(Restored(job: job, report: report))
  }

  var exitStatus: ExitStatus {
    var status = damage.isEmpty ? ExitStatus.done : .damaged
    if !missing.isEmpty { status = status.combined(with: .notFound) }
    for restored in restored { status = status.combined(with: restored.report.exitStatus) }
    return status
  }

  func text(target: ByteString, milliseconds: UInt64) -> String {
    restored.map { restored in
      let tree = restored.job.description.tree.title
      let kind = restored.job.status.isPublished ? "" : " This job is not complete: only what it had saved came back."
      return printable("\(tree): \(restored.report.sentence(target: target, milliseconds: milliseconds))\(kind)") + "\n"
    }.joined()
  }

  var problemLines: [String] { damage + missing + restored.flatMap { $0.report.problemLines } }

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
            writer.field("entries", restored.report.entries)
            writer.field("files", restored.report.files)
            writer.field("bytes", restored.report.bytes)
            writer.problems(
              restored.report.problems.map { ($0.path, $0.reason) }, count: restored.report.problemCount)
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
