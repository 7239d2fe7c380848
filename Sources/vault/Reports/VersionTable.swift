import Console
import VaultConfiguration
import VaultModel
import VaultScheduler

/// The versions of one file.
struct VersionTable: Sendable {
  let output: StandardOutput
  let zone: LocalTimeZone
  let isJSON: Bool

  func write(_ versions: [VersionListing], of path: ByteString) {
    output.write(isJSON ? json(versions, path) : Array(text(versions).utf8))
  }

  private func text(_ versions: [VersionListing]) -> String {
    var table = TextTable([
      .right("Job"), .left("Ended"), .right("Last"), .right("Size"), .left("Modified"), .left("Then"), .left("SHA-256"),
    ])
    for version in versions {
      let entry = version.entry
      table.add([
        String(version.first.job), version.first.ended.map { zone.text($0) } ?? "-", String(version.last.job),
        entry.attributes.type == .regular ? Figures.bytes(entry.contentSize) : entry.attributes.type.title,
        zone.text(secondsSinceEpoch: entry.attributes.modified.seconds), fate(version.end),
        entry.sealed?.digest.text ?? "-",
      ])
    }
    return table.text
  }

  private func fate(_ end: VersionListing.End) -> String {
    switch end {
    case .none: return "now"
    case .replaced(let point): return "replaced in job \(point.job)"
    case .deleted(let point):
      return "deleted in job \(point.job)" + (point.ended.map { ", \(zone.text($0))" } ?? "")
    }
  }

  private func json(_ versions: [VersionListing], _ path: ByteString) -> [UInt8] {
    var writer = JSONWriter()
    writer.array { writer in
      for version in versions {
        writer.beginLine()
        writer.object { writer in
          writer.point("first", version.first)
          writer.point("last", version.last)
          writer.point("saved", version.saved)
          switch version.end {
          case .none: break
          case .replaced(let point): writer.point("replaced", point)
          case .deleted(let point): writer.point("deleted", point)
          }
          writer.entry(EntryListing(path: path, entry: version.entry))
        }
      }
      writer.endLine()
    }
    writer.endLine()
    return writer.takeBytes()
  }
}

extension JSONWriter {
  /// A job and when it ended: `<name>Job` and `<name>Ended`.
  mutating func point(_ name: String, _ point: JobPoint) {
    field(name + "Job", point.job)
    if let ended = point.ended { field(name + "Ended", RFC3339.render(ended)) } else { null(name + "Ended") }
  }
}
