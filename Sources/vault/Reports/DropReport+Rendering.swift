import Console
import VaultConfiguration
import VaultModel
import VaultScheduler

extension DropReport {
  func text(zone: LocalTimeZone) -> String {
    var text = ""
    if !decisions.isEmpty {
      var table = TextTable([.right("Job"), .left("Ended"), .left("Level"), .left("Tree"), .left("Decision")])
      for decision in decisions {
        let job = decision.job
        table.add([
          String(job.description.number), job.ended.map { zone.text($0) } ?? "-", job.description.level.rawValue,
          printable(job.description.tree.title),
          (decision.isKept ? "kept: " : "dropped: ") + printable(decision.reason),
        ])
      }
      text = table.text
    }
    let count = Figures.count(droppedCount, "job", "jobs")
    if isDryRun { return text + "\(count) would be dropped; nothing was changed.\n" }
    return text + "Dropped \(count); \(Figures.count(freedVolumes, "volume", "volumes")) went with them"
      + (freedVolumes == 0 ? ".\n" : " (\(Figures.bytes(freedBytes))).\n")
  }

  func json() -> [UInt8] {
    var writer = JSONWriter()
    writer.object { writer in
      writer.field("dryRun", isDryRun)
      writer.key("jobs")
      writer.array { writer in
        for decision in decisions {
          let job = decision.job
          writer.object { writer in
            writer.field("job", job.description.number)
            writer.key("tree")
            writer.object { writer in
              writer.field("host", job.description.tree.host)
              writer.field("name", job.description.tree.name)
            }
            if let ended = job.ended { writer.field("ended", RFC3339.render(ended)) } else { writer.null("ended") }
            writer.field("action", decision.isKept ? "keep" : "drop")
            writer.field("reason", decision.reason)
          }
        }
      }
      writer.field("dropped", droppedCount)
      writer.field("volumesFreed", freedVolumes)
      writer.field("bytesFreed", freedBytes)
    }
    writer.endLine()
    return writer.takeBytes()
  }
}
