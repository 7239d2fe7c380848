import Console
import VaultConfiguration
import VaultModel
import VaultScheduler

/// The list of jobs.
enum JobTable {
  static func text(_ jobs: [JobListing], zone: LocalTimeZone) -> String {
    guard !jobs.isEmpty else { return "No jobs.\n" }
    var table = TextTable([
      .right("Job"), .left("Level"), .left("Status"), .left("Ended"), .right("Entries"), .right("New"),
      .right("Changed"),
      .right("Deleted"), .right("Problems"), .right("Stored"), .left("Tree"),
    ])
    for job in jobs {
      let counters = job.counters
      table.add([
        String(job.description.number), job.description.level.rawValue, job.status.title,
        job.ended.map { zone.text($0) } ?? "-",
        Figures.count(counters.entriesSeen), Figures.count(counters.new), Figures.count(counters.changed),
        Figures.count(counters.deleted), Figures.count(counters.problems), Figures.bytes(counters.bytesStored),
        printable(job.description.tree.title),
      ])
    }
    return table.text
  }

  static func json(_ jobs: [JobListing]) -> [UInt8] {
    var writer = JSONWriter()
    writer.array { writer in
      for job in jobs {
        writer.beginLine()
        writer.object { $0.job(job) }
      }
      writer.endLine()
    }
    writer.endLine()
    return writer.takeBytes()
  }
}

extension JSONWriter {
  fileprivate mutating func job(_ job: JobListing) {
    field("job", job.description.number)
    key("tree")
    object { writer in
      writer.field("host", job.description.tree.host)
      writer.field("name", job.description.tree.name)
    }
    field("level", job.description.level.rawValue)
    status(job.status)
    field("attempt", UInt64(job.attempt))
    field("commits", job.commits)
    field("created", RFC3339.render(job.description.created))
    if let ended = job.ended { field("ended", RFC3339.render(ended)) } else { null("ended") }
    counters(job.counters)
    field("problemCount", job.counters.problems)
  }
}
