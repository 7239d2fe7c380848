import VaultModel

extension JobCounters {
  private static let fields: [(String, WritableKeyPath<JobCounters, UInt64> & Sendable)] = [
    ("entries-seen", \.entriesSeen), ("files-seen", \.regularFilesSeen), ("bytes-seen", \.bytesSeen), ("new", \.new),
    ("changed-size", \.changedSize), ("changed-date", \.changedDate), ("changed-checksum", \.changedChecksum),
    ("changed-attributes", \.changedAttributes), ("deleted", \.deleted), ("unchanged", \.unchanged),
    ("bytes-read", \.bytesRead), ("bytes-known", \.bytesKnown), ("bytes-sent", \.bytesSent),
    ("bytes-stored", \.bytesStored), ("problems", \.problems),
  ]

  /// Adds a field for each counter to a control line.
  package func write(to line: inout ControlLine) {
    for (key, path) in Self.fields { line.set(key, self[keyPath: path]) }
  }

  /// Reads the fields that `write` makes.
  package init(_ line: ControlLine) throws(ControlError) {
    self.init()
    for (key, path) in Self.fields { self[keyPath: path] = try line.integer(key) }
  }
}

extension JobCounters {
  /// Adds what a job is expected to come to to a progress line; these are the counters of one like it.
  package func writeTotals(to line: inout ControlLine) {
    line.set("total-entries", entriesSeen)
    line.set("total-bytes", bytesSeen)
  }
}
