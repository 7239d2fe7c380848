/// A job's number in its catalog, from 1.
package typealias JobNumber = UInt64

/// How much a job compares with: the field's levels, and `auto` for "full the first time and incremental after".
package enum JobLevel: String, Sendable, CaseIterable {
  case full
  case differential
  case incremental
}

/// A job's state, with the field's letters.
package enum JobStatus: Character, Sendable, CaseIterable {
  case created = "C"
  case running = "R"
  case terminated = "T"
  case terminatedWithWarnings = "W"
  case failed = "f"
  case canceled = "A"
  case incomplete = "I"

  /// Whether the job's entries are published.
  package var isPublished: Bool { self == .terminated || self == .terminatedWithWarnings }

  /// Whether the job may be continued.
  package var isContinuable: Bool { self == .running || self == .incomplete || self == .created }

  /// The state in words, as listings show it.
  package var title: String {
    switch self {
    case .created: "created"
    case .running: "running"
    case .terminated: "OK"
    case .terminatedWithWarnings: "OK, with warnings"
    case .failed: "failed"
    case .canceled: "canceled"
    case .incomplete: "incomplete"
    }
  }
}

/// A wall-clock instant: nanoseconds since 1970-01-01T00:00:00Z.
package struct Timestamp: Hashable, Comparable, Sendable {
  package var nanoseconds: Int64
  package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }
  package static func < (left: Timestamp, right: Timestamp) -> Bool { left.nanoseconds < right.nanoseconds }
}

/// What one chain of jobs saves.
package struct Tree: Hashable, Sendable {
  /// The client, or this machine's name for `vault local`.
  package var host: String
  /// The file set's name, or for `vault local` `--name` or the sorted absolute paths joined with a line feed.
  package var name: ByteString

  package init(host: String, name: ByteString) {
    self.host = host
    self.name = name
  }
}

/// What a job counted; every number is a total over all attempts of the job.
package struct JobCounters: Hashable, Sendable {
  /// Entries that exist in the tree as the job saw it, of every type.
  package var entriesSeen: UInt64 = 0
  package var regularFilesSeen: UInt64 = 0
  /// Bytes of the regular files seen.
  package var bytesSeen: UInt64 = 0
  package var new: UInt64 = 0
  /// Changed entries whose size differs.
  package var changedSize: UInt64 = 0
  /// Changed entries of the same size that another modification time, inode or type gives away.
  package var changedDate: UInt64 = 0
  /// Changed files that only their digest gives away: size and modification time are as they were.
  package var changedChecksum: UInt64 = 0
  /// Entries whose attributes alone changed; their content is the known one.
  package var changedAttributes: UInt64 = 0
  package var deleted: UInt64 = 0
  /// With the new and the changed entries, all that were seen.
  package var unchanged: UInt64 = 0
  /// Bytes read from files.
  package var bytesRead: UInt64 = 0
  /// Bytes of new and changed files whose content was known, and is referred to.
  package var bytesKnown: UInt64 = 0
  /// Bytes of file content sent, before compression.
  package var bytesSent: UInt64 = 0
  /// Bytes that the groups took on volumes, after compression.
  package var bytesStored: UInt64 = 0
  /// Problems met; each costs a file.
  package var problems: UInt64 = 0

  package init() {}

  /// Entries changed in any way.
  package var changed: UInt64 { Self.sum(changedSize, changedDate, changedChecksum, changedAttributes) }

  /// Bytes of the files that are new or changed: what was sent, and what was known.
  package var bytesChanged: UInt64 { Self.sum(bytesSent, bytesKnown) }

  /// The sum, or the greatest number: counters of a volume or a peer are whatever it says.
  private static func sum(_ values: UInt64...) -> UInt64 {
    values.reduce(0) { sum, value in
      let (partialValue, overflow) = sum.addingReportingOverflow(value)
      return overflow ? .max : partialValue
    }
  }
}

/// What a job is: all that a volume must know to rebuild the job's row without the catalog.
package struct JobDescription: Hashable, Sendable {
  package var number: JobNumber
  package var session: UniqueIdentifier
  package var tree: Tree
  package var level: JobLevel
  /// The job's place in the tree's order of published states; greater than that of every job of the tree before it.
  package var sequence: UInt64
  /// The sequence whose state the job compares with; 0 when it compares with nothing.
  package var baseSequence: UInt64
  package var created: Timestamp
  /// The absolute paths asked for.
  package var paths: [ByteString]

  package init(
    number: JobNumber, session: UniqueIdentifier, tree: Tree, level: JobLevel, sequence: UInt64, baseSequence: UInt64,
    created: Timestamp, paths: [ByteString]
  ) {
    self.number = number
    self.session = session
    self.tree = tree
    self.level = level
    self.sequence = sequence
    self.baseSequence = baseSequence
    self.created = created
    self.paths = paths
  }
}

/// How a job ended.
package struct JobOutcome: Hashable, Sendable {
  package var status: JobStatus
  package var ended: Timestamp
  package var counters: JobCounters

  package init(status: JobStatus, ended: Timestamp, counters: JobCounters) {
    self.status = status
    self.ended = ended
    self.counters = counters
  }
}

/// Which jobs of a tree were dropped, as far as a catalog rebuilt from volumes must know it.
package struct TreeRetention: Hashable, Sendable {
  package var tree: Tree
  /// No kept state needs what jobs with lower sequences said about entries.
  package var firstKept: UInt64
  /// Sequences of dropped jobs that later states build on.
  package var dropped: [UInt64]
  /// Sequences of dropped jobs that no state builds on: never published, or undone.
  package var undone: [UInt64]

  package init(tree: Tree, firstKept: UInt64, dropped: [UInt64], undone: [UInt64]) {
    self.tree = tree
    self.firstKept = firstKept
    self.dropped = dropped
    self.undone = undone
  }
}
