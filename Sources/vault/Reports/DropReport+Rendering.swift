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
    return text + volumeTable + sentences.joined(separator: "\n") + "\n"
  }

  /// What was done, or would be.
  private var sentences: [String] {
    let count = Figures.count(droppedCount, "job", "jobs")
    let isAboutJobs = volumes == nil || !decisions.isEmpty
    var sentences: [String] = []
    if isDryRun {
      if isAboutJobs { sentences.append("\(count) would be dropped; nothing was changed.") }
      guard let volumes else { return sentences }
      let chosen = volumes.filter { $0.action == .rewrite }
      let gain = chosen.reduce(0 as UInt64) { $0 + $1.bytes - min($1.bytes, $1.neededBytes) }
      let line =
        "\(Figures.count(UInt64(chosen.count), "volume", "volumes")) would be rewritten"
        + (chosen.isEmpty ? "" : ", and give back about \(Figures.bytes(gain))")
      return sentences + [line + (isAboutJobs ? "." : "; nothing was changed.")]
    }
    let room = freedBytes == 0 ? "" : " (\(Figures.bytes(freedBytes)))"
    guard volumes != nil else {
      return ["Dropped \(count); \(Figures.count(freedVolumes, "volume", "volumes")) went with them\(room)."]
    }
    if isAboutJobs {
      sentences.append("Dropped \(count); \(Figures.count(freedVolumes, "volume", "volumes")) went with them.")
    }
    let rewritten = Figures.count(rewrittenVolumes, "volume was", "volumes were")
    return sentences + ["\(rewritten) rewritten; \(Figures.bytes(freedBytes)) were given back."]
  }

  private var volumeTable: String {
    guard let volumes, !volumes.isEmpty else { return "" }
    var table = TextTable([.left("Volume"), .right("Size"), .right("Needed"), .left("Decision")])
    for volume in volumes {
      table.add([
        printable(volume.name), Figures.bytes(volume.bytes), Figures.bytes(volume.neededBytes),
        printable(volume.text),
      ])
    }
    return table.text
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
      writer.field("volumesRewritten", rewrittenVolumes)
      guard let volumes else { return }
      writer.key("volumes")
      writer.array { writer in for volume in volumes { writer.object { $0.fields(of: volume) } } }
    }
    writer.endLine()
    return writer.takeBytes()
  }
}

extension VolumeDecision {
  fileprivate var text: String {
    switch action {
    case .keep: "kept: \(reason)"
    case .free: "goes: \(reason)"
    case .fail: "kept: it could not be rewritten"
    case .rewrite:
      newName.map { "rewritten as \($0) (\(Figures.bytes(newBytes ?? 0))): \(reason)" } ?? "rewritten: \(reason)"
    }
  }
}

extension JSONWriter {
  fileprivate mutating func fields(of volume: VolumeDecision) {
    field("volume", volume.name)
    field("bytes", volume.bytes)
    field("bytesNeeded", volume.neededBytes)
    field("action", volume.action.rawValue)
    field("reason", volume.reason)
    if let name = volume.newName { field("newVolume", name) }
    if let bytes = volume.newBytes { field("newBytes", bytes) }
  }
}
