import VaultModel

/// A job and when it ended.
package struct JobPoint: Sendable, Hashable {
  package var job: JobNumber
  package var ended: Timestamp?
  package init(job: JobNumber, ended: Timestamp?) {
    self.job = job
    self.ended = ended
  }
}

/// One version of a file, and which jobs have it.
package struct VersionListing: Sendable {
  /// What became of a version.
  package enum End: Sendable, Hashable {
    /// The newest state has it.
    case none
    case replaced(JobPoint)
    case deleted(JobPoint)
  }

  package var entry: Entry
  /// The job that saved it; it may be dropped by now.
  package var saved: JobPoint
  /// The oldest and the newest job that can bring it back.
  package var first: JobPoint
  package var last: JobPoint
  package var end: End
  package init(entry: Entry, saved: JobPoint, first: JobPoint, last: JobPoint, end: End) {
    self.entry = entry
    self.saved = saved
    self.first = first
    self.last = last
    self.end = end
  }
}

/// Something that a search found: one path, over all jobs that have it.
package struct FoundListing: Sendable {
  package var tree: Tree
  package var path: ByteString
  package var type: FileType
  /// The size of its newest version.
  package var size: UInt64
  package var versionCount: UInt64
  package var first: JobPoint
  package var last: JobPoint
  /// Whether the newest state of the tree has it.
  package var isCurrent: Bool
  package init(
    tree: Tree, path: ByteString, type: FileType, size: UInt64, versionCount: UInt64, first: JobPoint, last: JobPoint,
    isCurrent: Bool
  ) {
    self.tree = tree
    self.path = path
    self.type = type
    self.size = size
    self.versionCount = versionCount
    self.first = first
    self.last = last
    self.isCurrent = isCurrent
  }
}

/// One entry that differs between two jobs.
package struct DifferenceListing: Sendable {
  package enum Kind: String, Sendable {
    case added = "+"
    case removed = "-"
    case modified = "M"
  }

  package var path: ByteString
  package var type: FileType
  package var kind: Kind
  /// What changed: `content`, `mode`, `owner`, `time`, `attributes` (extended ones, or inode flags), `type`.
  package var what: [String]
  package var oldSize: UInt64?
  package var newSize: UInt64?
  package init(
    path: ByteString, type: FileType, kind: Kind, what: [String], oldSize: UInt64?, newSize: UInt64?
  ) {
    self.path = path
    self.type = type
    self.kind = kind
    self.what = what
    self.oldSize = oldSize
    self.newSize = newSize
  }
}

/// What `vault local drop` asks for.
package struct DropRequest: Sendable {
  package var treeName: ByteString?
  package var jobs: [JobNumber]
  package var keepLast: UInt32?
  package var keepDaily: UInt32?
  package var keepWeekly: UInt32?
  package var keepMonthly: UInt32?
  package var keepYearly: UInt32?
  /// Seconds before now within which all jobs stay.
  package var keepWithin: UInt64?
  package var isDryRun: Bool
  /// Whether volumes with little left in them are rewritten.
  package var compacts = false
  package init(treeName: ByteString?, jobs: [JobNumber], isDryRun: Bool) {
    self.treeName = treeName
    self.jobs = jobs
    self.isDryRun = isDryRun
  }
}

/// What became of one job, and why.
package struct DropDecision: Sendable {
  package var job: JobListing
  package var isKept: Bool
  package var reason: String
  package init(job: JobListing, isKept: Bool, reason: String) {
    self.job = job
    self.isKept = isKept
    self.reason = reason
  }
}

/// How much of a volume is needed, and what became of it.
package struct VolumeDecision: Sendable {
  package enum Action: String, Sendable {
    case keep
    case rewrite
    /// It could not be rewritten, and is as it was.
    case fail
    /// It would go whole.
    case free
  }

  package var name: String
  package var bytes: UInt64
  package var neededBytes: UInt64
  package var action: Action
  package var reason: String
  /// The volume that took its place, and its bytes.
  package var newName: String?
  package var newBytes: UInt64?
  /// What a failure ends the command with.
  package var status: ExitStatus
  package init(
    name: String, bytes: UInt64, neededBytes: UInt64, action: Action, reason: String, newName: String? = nil,
    newBytes: UInt64? = nil, status: ExitStatus = .done
  ) {
    self.name = name
    self.bytes = bytes
    self.neededBytes = neededBytes
    self.action = action
    self.reason = reason
    self.newName = newName
    self.newBytes = newBytes
    self.status = status
  }
}

/// What dropping came to.
package struct DropReport: Sendable {
  package var isDryRun: Bool
  package var decisions: [DropDecision]
  package var droppedCount: UInt64
  /// Volumes whose files went with nothing in their place.
  package var freedVolumes: UInt64
  /// Bytes that were given back, by them and by volumes that were rewritten.
  package var freedBytes: UInt64
  /// The volumes, when they were to be compacted.
  package var volumes: [VolumeDecision]?
  package var rewrittenVolumes: UInt64
  package init(
    isDryRun: Bool, decisions: [DropDecision], droppedCount: UInt64, freedVolumes: UInt64, freedBytes: UInt64,
    volumes: [VolumeDecision]? = nil, rewrittenVolumes: UInt64 = 0
  ) {
    self.isDryRun = isDryRun
    self.decisions = decisions
    self.droppedCount = droppedCount
    self.freedVolumes = freedVolumes
    self.freedBytes = freedBytes
    self.volumes = volumes
    self.rewrittenVolumes = rewrittenVolumes
  }

  /// What the command ends with.
  package var status: ExitStatus { (volumes ?? []).reduce(.done) { $0.combined(with: $1.status) } }
}
