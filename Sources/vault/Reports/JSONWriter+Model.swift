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
    field("changedSize", counters.changedSize)
    field("changedDate", counters.changedDate)
    field("changedChecksum", counters.changedChecksum)
    field("changedAttributes", counters.changedAttributes)
    field("deleted", counters.deleted)
    field("unchanged", counters.unchanged)
    field("bytesRead", counters.bytesRead)
    field("bytesChanged", counters.bytesChanged)
    field("bytesKnown", counters.bytesKnown)
    field("bytesSent", counters.bytesSent)
    field("bytesStored", counters.bytesStored)
  }

  /// How many times the one number is the other, in thousandths; null when there is nothing to compare.
  mutating func ratio(_ name: String, _ whole: UInt64, _ part: UInt64) {
    guard whole > 0, part > 0 else { return null(name) }
    thousandths(name, UInt64(min(Double(whole) / Double(part) * 1_000, 1e18)))
  }

  /// Bytes a second; null when no time went by.
  mutating func rate(_ name: String, _ byteCount: UInt64, milliseconds: UInt64) {
    guard milliseconds > 0 else { return null(name) }
    field(name, Figures.perSecond(byteCount, milliseconds: milliseconds))
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
