import VaultModel

extension BackupEstimate {
  private static let fields: [(String, WritableKeyPath<BackupEstimate, UInt64> & Sendable)] = [
    ("entries-seen", \.entriesSeen), ("files-seen", \.regularFilesSeen), ("bytes-seen", \.bytesSeen), ("new", \.new),
    ("changed", \.changed), ("deleted", \.deleted), ("unchanged", \.unchanged), ("excluded", \.excluded),
    ("bytes-to-read", \.bytesToRead), ("problems", \.problems),
  ]

  package func write(to line: inout ControlLine) {
    for (key, field) in Self.fields { line.set(key, self[keyPath: field]) }
  }

  package init(_ line: ControlLine) throws(ControlError) {
    self.init()
    for (key, field) in Self.fields { self[keyPath: field] = try line.integer(key) }
  }
}
