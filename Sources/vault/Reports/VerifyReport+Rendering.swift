import Console
import VaultModel

extension VerifyReport {
  /// How the verification ended, in plain words.
  func sentence(readingData: Bool, milliseconds: UInt64) -> String {
    var text =
      "Checked \(Figures.count(jobs, "job", "jobs")) on \(Figures.count(volumes, "volume", "volumes")) "
      + "(\(Figures.count(blocks, "block", "blocks")), \(Figures.bytes(bytes)))"
    if readingData {
      text += " and \(Figures.count(contents, "file content", "file contents")) (\(Figures.bytes(contentBytes)))"
    }
    text += " in \(Figures.duration(milliseconds: milliseconds)): "
    guard foundDamage else { return text + (readingData ? "everything is sound." : "everything is in its place.") }
    let (versions, bytes) = damages.reduce((UInt64(0), UInt64(0))) { ($0.0 + $1.lostCount, $0.1 &+ $1.lostBytes) }
    text += "\(Figures.count(UInt64(damages.count), "damage", "damages")) found; "
    return text
      + (versions == 0
        ? "a restore would lose nothing."
        : "a restore would lose \(Figures.count(versions, "version", "versions")) of files (\(Figures.bytes(bytes))).")
  }

  func json(milliseconds: UInt64) -> [UInt8] {
    var writer = JSONWriter()
    writer.object { writer in
      writer.key("damages")
      writer.array { writer in for damage in damages { writer.object { $0.damage(damage) } } }
      writer.field("damageCount", UInt64(damages.count))
      writer.key("notes")
      writer.array { writer in for note in notes { writer.element(note) } }
      writer.field("jobs", jobs)
      writer.field("volumes", volumes)
      writer.field("blocks", blocks)
      writer.field("bytes", bytes)
      writer.field("contents", contents)
      writer.field("contentBytes", contentBytes)
      writer.seconds("durationSeconds", milliseconds: milliseconds)
    }
    writer.endLine()
    return writer.takeBytes()
  }
}

extension VerifyReport.Damage {
  /// Lost versions that are shown of one damage; JSON has them all.
  private static let shownCount = 20

  /// The damage and what it costs, a line each.
  var text: String {
    var lines = [printable(place + reason + (reason.hasSuffix(".") ? "" : "."))]
    if lostCount > 0 {
      lines.append(
        "  A restore would lose \(Figures.count(lostCount, "version of a file", "versions of files")) "
          + "(\(Figures.bytes(lostBytes))), \(Figures.count(lostNowCount)) of them of the latest state:")
      for entry in lost.prefix(Self.shownCount) { lines.append("    " + entry.text) }
      let left = lostCount - UInt64(min(lost.count, Self.shownCount))
      if left > 0 { lines.append("    … and \(Figures.count(left)) more; --json names them.") }
    } else if volume == nil {
      // It speaks for itself.
    } else if attributeGroups > 0 {
      lines.append("  A restore loses nothing by it, as long as the catalog is there.")
    } else {
      lines.append("  A restore loses nothing by it.")
    }
    return lines.map { $0 + "\n" }.joined()
  }

  private var place: String {
    guard let volume else { return "" }
    // A sentence about the whole volume names it itself.
    if reason.hasPrefix("Volume \(volume)") || reason.hasPrefix("The file \(volume)") { return "" }
    if blocks.isEmpty { return "Volume \(volume): " }
    let last = blocks.upperBound - 1
    return "Volume \(volume), "
      + (last == blocks.lowerBound ? "block \(last): " : "blocks \(blocks.lowerBound) to \(last): ")
  }
}

extension VerifyReport.LostEntry {
  fileprivate var text: String {
    var jobs = ""
    switch (firstJob, lastJob) {
    case (let first?, nil): jobs = " (since job \(first))"
    case (let first?, let last?): jobs = first == last ? " (job \(first))" : " (jobs \(first) to \(last))"
    case (nil, let last?): jobs = " (until job \(last))"
    case (nil, nil): break
    }
    return "\(path.displayText), \(Figures.bytes(size))\(jobs)"
  }
}

extension JSONWriter {
  fileprivate mutating func damage(_ damage: VerifyReport.Damage) {
    if let volume = damage.volume {
      field("volume", volume)
      field("firstBlock", UInt64(damage.blocks.lowerBound))
      field("blockCount", UInt64(damage.blocks.count))
    } else {
      null("volume")
    }
    field("reason", damage.reason)
    field("dataGroups", damage.dataGroups)
    field("attributeGroups", damage.attributeGroups)
    field("lostCount", damage.lostCount)
    field("lostBytes", damage.lostBytes)
    field("lostNowCount", damage.lostNowCount)
    key("lost")
    array { writer in
      for entry in damage.lost {
        writer.object { writer in
          writer.field("path", entry.path)
          writer.key("tree")
          writer.object { writer in
            writer.field("host", entry.tree.host)
            writer.field("name", entry.tree.name)
          }
          writer.field("size", entry.size)
          if let first = entry.firstJob { writer.field("firstJob", first) }
          if let last = entry.lastJob { writer.field("lastJob", last) }
        }
      }
    }
  }
}
