import VaultModel

extension JSONWriter {
  /// A job's state: the field's letter, and in words.
  mutating func status(_ status: JobStatus) {
    field("status", String(status.rawValue))
    field("statusText", status.title)
  }

  /// What a job counted; its problems are written apart.
  mutating func counters(_ counters: JobCounters) {
    field("entriesSeen", counters.entriesSeen)
    field("regularFilesSeen", counters.regularFilesSeen)
    field("bytesSeen", counters.bytesSeen)
    field("new", counters.new)
    field("changed", counters.changed)
    field("deleted", counters.deleted)
    field("unchanged", counters.unchanged)
    field("bytesRead", counters.bytesRead)
    field("bytesSent", counters.bytesSent)
    field("bytesStored", counters.bytesStored)
  }

  /// The problems that are told, and how many there were in all.
  mutating func problems(_ problems: [(path: ByteString, reason: String)], count: UInt64) {
    key("problems")
    array { writer in
      for problem in problems {
        writer.object { writer in
          writer.field("path", problem.path)
          writer.field("reason", problem.reason)
        }
      }
    }
    field("problemCount", count)
  }
}
