import VaultConfiguration
import VaultModel
import VaultScheduler
import VolumeTools

/// What volumes hold, by themselves.
enum VolumeTable {
  static func text(_ volumes: [VolumeListing], zone: LocalTimeZone) -> String {
    var text = ""
    for volume in volumes {
      text += printable(title(volume, zone)) + "\n"
      guard !volume.sessions.isEmpty else {
        text += "  No job's data.\n"
        continue
      }
      var table = TextTable([
        .right("  Job"), .left("Level"), .left("Status"), .left("Created"), .left("Ended"), .right("Groups"),
        .right("Stored"), .left("Session"), .left("Tree"),
      ])
      for session in volume.sessions {
        table.add([
          session.job.map { String($0.number) } ?? "?", session.job?.level.rawValue ?? "?",
          session.outcome?.status.title ?? "incomplete", session.job.map { zone.text($0.created) } ?? "-",
          session.outcome.map { zone.text($0.ended) } ?? "-", Figures.count(session.groups),
          Figures.bytes(session.bytes), session.session.text, printable(session.job?.tree.title ?? "?"),
        ])
      }
      text += table.text
    }
    return text
  }

  private static func title(_ volume: VolumeListing, _ zone: LocalTimeZone) -> String {
    guard volume.repository != .none else {
      return "\(volume.name): volume \(volume.identifier), its label is damaged."
    }
    let name = volume.labelName == volume.name ? "" : ", labelled \(volume.labelName)"
    return
      "\(volume.name)\(name): volume \(volume.identifier) of repository \(volume.repository), pool \(volume.pool), "
      + "made \(zone.text(volume.labeled)), \(Figures.bytes(volume.byteCount))."
  }

  static func json(_ volumes: [VolumeListing], damage: [String]) -> [UInt8] {
    var writer = JSONWriter()
    writer.object { writer in
      writer.key("volumes")
      writer.array { writer in for volume in volumes { writer.object { $0.volume(volume) } } }
      writer.key("damage")
      writer.array { writer in for text in damage { writer.element(text) } }
    }
    writer.endLine()
    return writer.takeBytes()
  }
}

extension JSONWriter {
  fileprivate mutating func volume(_ volume: VolumeListing) {
    field("name", volume.name)
    field("label", volume.labelName)
    field("volume", volume.identifier.text)
    field("repository", volume.repository.text)
    field("pool", volume.pool)
    field("labelled", RFC3339.render(volume.labeled))
    field("bytes", volume.byteCount)
    key("sessions")
    array { writer in for session in volume.sessions { writer.object { $0.session(session) } } }
  }

  private mutating func session(_ session: VolumeListing.Session) {
    field("session", session.session.text)
    if let job = session.job {
      field("job", job.number)
      key("tree")
      object { writer in
        writer.field("host", job.tree.host)
        writer.field("name", job.tree.name)
      }
      field("level", job.level.rawValue)
      field("created", RFC3339.render(job.created))
    } else {
      null("job")
    }
    status(session.outcome?.status ?? .incomplete)
    if let ended = session.outcome?.ended { field("ended", RFC3339.render(ended)) } else { null("ended") }
    field("groups", session.groups)
    field("bytesStored", session.bytes)
  }
}
