import VaultDevice
import VaultModel
import VaultProtocol
import VaultSession

/// Tells the director what recovery found on the volumes beyond its catalog. Blocks its thread.
struct RecoverySender: ~Copyable {
  private let channel: Channel
  private let device: Device

  init(channel: Channel, device: Device) {
    self.channel = channel
    self.device = device
  }

  func send(_ report: RecoveryReport) throws {
    for text in report.notes { try note(text) }
    let sender = CommitSender(channel: channel, device: device)
    for session in report.sessions {
      guard let job = session.job else {
        try note(
          "Session \(session.session): its first block cannot be read, so what it holds beyond the catalog is left out."
        )
        continue
      }
      try record { $0.job(job) }
      for commit in session.commits { try sender.send(OutgoingCommit(commit)) }
      if let outcome = session.outcome { try record { $0.jobEnd(outcome) } }
    }
    // After the commits: a volume's end must never be ahead of what the catalog holds of it.
    try VolumeList.encode(report.volumes).withUnsafeBytes { try channel.sendFrameBlocking(.listing, $0) }
    try sender.end()
  }

  /// Sends what a session committed, and how it ended.
  func send(_ session: RecoveredSession?) throws {
    let sender = CommitSender(channel: channel, device: device)
    if let session {
      for commit in session.commits { try sender.send(OutgoingCommit(commit)) }
      if let outcome = session.outcome { try record { $0.jobEnd(outcome) } }
    }
    try sender.end()
  }

  private func note(_ text: String) throws {
    var line = ControlLine("note")
    line.set("text", text)
    try line.encoded().withUnsafeBytes { try channel.sendFrameBlocking(.progress, $0) }
  }

  private func record(_ body: (inout RecordWriter) -> Void) throws {
    var writer = RecordWriter(capacity: 1024)
    body(&writer)
    try channel.sendFrameBlocking(.jobRecord, writer.bytes)
  }
}

extension RecoveryReport {
  /// What was found, in plain words.
  var notes: [String] {
    var notes = removedFiles.map { "\($0): a crash left it before it became a volume; it was removed." }
    notes += purgedFiles.map {
      "Volume \($0): its file was still there when nothing needed it any more; it was removed."
    }
    notes += leftOut.map { volume in
      switch volume.reason {
      case .incomplete(let old):
        "Volume \(volume.name): rewriting volume \(old) was cut short; the new one was removed, and the old one is as it was."
      case .replaced(let other):
        "Volume \(volume.name): volume \(other) has taken its place; its file is left alone and can be removed."
      }
    }
    for cut in cuts {
      notes.append(
        "Volume \(cut.volume): \(cut.byteCount) bytes (\(cut.blockCount) blocks) that no commit covers were cut off.")
    }
    return notes + damage.map(\.description)
  }
}
