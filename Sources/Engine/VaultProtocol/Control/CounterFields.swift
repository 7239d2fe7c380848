import VaultModel

extension JobCounters {
  private static let fields: [(String, WritableKeyPath<JobCounters, UInt64> & Sendable)] = [
    ("entries-seen", \.entriesSeen), ("files-seen", \.regularFilesSeen), ("bytes-seen", \.bytesSeen), ("new", \.new),
    ("changed", \.changed), ("deleted", \.deleted), ("unchanged", \.unchanged), ("bytes-read", \.bytesRead),
    ("bytes-sent", \.bytesSent), ("bytes-stored", \.bytesStored), ("problems", \.problems),
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
