import VaultModel
import VolumeTools

/// What a scan of volumes found.
enum ScanTable {
  static func text(_ report: VolumeScanReport) -> String {
    var table = TextTable([.left("Volume"), .right("Size"), .left("Status")])
    for volume in report.volumes {
      table.add([printable(volume.name), Figures.bytes(volume.bytes), printable(volume.status)])
    }
    return table.text + "Found \(Figures.count(UInt64(report.jobs), "job", "jobs")); the catalog holds them now.\n"
  }

  static func json(_ report: VolumeScanReport) -> [UInt8] {
    var writer = JSONWriter()
    writer.object { writer in
      writer.key("volumes")
      writer.array { writer in
        for volume in report.volumes {
          writer.object { writer in
            writer.field("name", volume.name)
            writer.field("bytes", volume.bytes)
            writer.field("status", volume.status)
          }
        }
      }
      writer.field("jobs", UInt64(report.jobs))
      writer.key("notes")
      writer.array { writer in for note in report.notes { writer.element(note) } }
    }
    writer.endLine()
    return writer.takeBytes()
  }
}
