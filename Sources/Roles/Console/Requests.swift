import VaultModel

/// What `vault local backup` asks for.
package struct BackupRequest: Sendable {
  package enum Level: Sendable, Hashable {
    /// Full the first time and incremental after.
    case automatic
    case level(JobLevel)
  }

  /// Absolute, normalised paths.
  package var paths: [ByteString]
  /// The tree's name when `--name` was given.
  package var name: ByteString?
  package var level: Level
  package var commitIntervalSeconds: UInt32
  package var commitByteCount: UInt64
  package var compression: Compression
  package var exclusions: ExclusionRequest

  package init(
    paths: [ByteString], name: ByteString? = nil, level: Level = .automatic,
    commitIntervalSeconds: UInt32 = 30, commitByteCount: UInt64 = 1 << 30,
    compression: Compression = .lz4, exclusions: ExclusionRequest = ExclusionRequest()
  ) {
    self.paths = paths
    self.name = name
    self.level = level
    self.commitIntervalSeconds = commitIntervalSeconds
    self.commitByteCount = commitByteCount
    self.compression = compression
    self.exclusions = exclusions
  }
}

/// What a backup leaves out below the paths that were given.
package struct ExclusionRequest: Sendable, Hashable {
  /// As in gitignore(5); later ones count for more.
  package var patterns: [ByteString] = []
  /// Leaves out what lies beside a `CACHEDIR.TAG`.
  package var leavesOutCaches = false
  /// Leaves out regular files with more bytes.
  package var largestFile: UInt64?
  /// Saves what is mounted below a path, too.
  package var crossesFileSystems = false

  package init() {}
}

/// How a backup job ended, as the director reports it.
package struct BackupReport: Sendable {
  package var job: JobListing
  /// Entries and content bytes that an earlier attempt had committed already.
  package var keptEntries: UInt64
  package var keptBytes: UInt64
  /// Names left out; what lies below a directory left out was not looked at.
  package var excluded: UInt64
  /// The first problems, `ProblemTally.listLimit` at most.
  package var problems: [FileProblem]
  /// All problems by their kind.
  package var problemKinds: ProblemTally<FileTrouble>

  package init(
    job: JobListing, keptEntries: UInt64, keptBytes: UInt64, excluded: UInt64 = 0, problems: [FileProblem],
    problemKinds: ProblemTally<FileTrouble>
  ) {
    self.job = job
    self.keptEntries = keptEntries
    self.keptBytes = keptBytes
    self.excluded = excluded
    self.problems = problems
    self.problemKinds = problemKinds
  }
}

/// What a backup would do, as the director reports it.
package struct EstimateReport: Sendable {
  package var level: JobLevel
  /// The interrupted job that the backup would go on with.
  package var continuedJob: JobNumber?
  package var estimate: BackupEstimate
  /// The first problems, `ProblemTally.listLimit` at most.
  package var problems: [FileProblem]
  /// All problems by their kind.
  package var problemKinds: ProblemTally<FileTrouble>

  package init(
    level: JobLevel, continuedJob: JobNumber?, estimate: BackupEstimate, problems: [FileProblem],
    problemKinds: ProblemTally<FileTrouble>
  ) {
    self.level = level
    self.continuedJob = continuedJob
    self.estimate = estimate
    self.problems = problems
    self.problemKinds = problemKinds
  }
}

/// A job as listings show it.
package struct JobListing: Sendable {
  package var description: JobDescription
  package var status: JobStatus
  package var attempt: UInt32
  package var commits: UInt64
  package var ended: Timestamp?
  package var counters: JobCounters
  package init(
    description: JobDescription, status: JobStatus, attempt: UInt32, commits: UInt64, ended: Timestamp?,
    counters: JobCounters
  ) {
    self.description = description
    self.status = status
    self.attempt = attempt
    self.commits = commits
    self.ended = ended
    self.counters = counters
  }
}

/// As at which job.
package enum PointInTime: Sendable, Hashable {
  case latest
  case job(JobNumber)
  /// The newest published job that ended at or before this instant.
  case instant(Timestamp)
}

/// What was saved, as a person names it: a path if there is one, else a pattern of paths.
package struct PathChoice: Sendable, Hashable {
  /// Absolute and normalised.
  package var path: ByteString
  /// The same as a pattern; what no person typed of it is escaped.
  package var pattern: ByteString
  package init(path: ByteString, pattern: ByteString) {
    self.path = path
    self.pattern = pattern
  }
}

/// What `vault local ls` asks for.
package struct ListRequest: Sendable {
  package var treeName: ByteString?
  package var at: PointInTime
  /// None lists everything.
  package var paths: [PathChoice]
  package init(treeName: ByteString?, at: PointInTime, paths: [PathChoice]) {
    self.treeName = treeName
    self.at = at
    self.paths = paths
  }
}

/// One line of a listing.
package struct EntryListing: Sendable {
  /// The absolute path.
  package var path: ByteString
  package var entry: Entry
  package init(path: ByteString, entry: Entry) {
    self.path = path
    self.entry = entry
  }
}

/// What happens to what already exists where a restore writes.
package enum OverwriteChoice: String, Sendable, CaseIterable {
  case always
  case newer
  case never
}

/// Where a restore goes.
package enum RestoreDestination: Sendable, Hashable {
  /// The directory below which everything lands under its full original path.
  case directory(ByteString)
  /// The same, but nothing is written: what would be is counted.
  case trial(ByteString)
  /// The bytes of one file go to the caller.
  case stream

  /// The directory below which something would land.
  package var directory: ByteString {
    switch self {
    case .directory(let path), .trial(let path): path
    case .stream: "/"
    }
  }
}

/// What `vault local restore` asks for.
package struct RestoreRequest: Sendable {
  /// Empty for everything.
  package var paths: [PathChoice]
  package var treeName: ByteString?
  package var at: PointInTime
  package var destination: RestoreDestination
  package var overwrite: OverwriteChoice
  /// Leading components that every path loses.
  package var strippedComponents: UInt16
  /// Restores owners and groups by number, whatever their names are here.
  package var usesNumericOwners: Bool
  package init(
    paths: [PathChoice], treeName: ByteString?, at: PointInTime, destination: RestoreDestination,
    overwrite: OverwriteChoice = .never, strippedComponents: UInt16 = 0, usesNumericOwners: Bool = false
  ) {
    self.paths = paths
    self.treeName = treeName
    self.at = at
    self.destination = destination
    self.overwrite = overwrite
    self.strippedComponents = strippedComponents
    self.usesNumericOwners = usesNumericOwners
  }
}

/// A path that a restore could not bring back, and why.
package struct RestoreProblem: Sendable, Hashable {
  package var path: ByteString
  package var reason: String
  package init(path: ByteString, reason: String) {
    self.path = path
    self.reason = reason
  }
}

/// How a restore ended.
package struct RestoreReport: Sendable {
  package var job: JobNumber
  /// Entries of all kinds restored.
  package var entries: UInt64
  package var files: UInt64
  package var bytes: UInt64
  /// Problems in all.
  package var problemCount: UInt64
  /// The first problems, `ProblemTally.listLimit` at most.
  package var problems: [RestoreProblem]
  /// All problems by their reason.
  package var problemKinds: ProblemTally<String>
  /// Of the problems, how many only say that something was there and stayed: `problems` holds the first few of these.
  package var keptCount: UInt64
  /// What a trial found in the way that a restore would replace.
  package var replacedCount: UInt64
  /// Whether stored data was missing or damaged: exit status 7.
  package var foundDamage: Bool
  package init(
    job: JobNumber, entries: UInt64, files: UInt64, bytes: UInt64, problemCount: UInt64, problems: [RestoreProblem],
    problemKinds: ProblemTally<String>, keptCount: UInt64 = 0, replacedCount: UInt64 = 0, foundDamage: Bool
  ) {
    self.job = job
    self.entries = entries
    self.files = files
    self.bytes = bytes
    self.problemCount = problemCount
    self.problems = problems
    self.problemKinds = problemKinds
    self.keptCount = keptCount
    self.replacedCount = replacedCount
    self.foundDamage = foundDamage
  }
}

/// How far a running job is: what a progress line shows.
package struct JobProgress: Sendable, Hashable {
  package var entriesSeen: UInt64 = 0
  /// Bytes of the files that are dealt with, whether they had to be read or not.
  package var bytesDone: UInt64 = 0
  /// Bytes that were read, or written by a restore.
  package var bytesRead: UInt64 = 0
  package var bytesSent: UInt64 = 0
  package var problems: UInt64 = 0
  /// Where the job is; empty when that is not known.
  package var path: ByteString = ""
  /// What the job is expected to come to, where there is something to go by.
  package var totals: Totals?

  package struct Totals: Sendable, Hashable {
    package var entries: UInt64
    package var bytes: UInt64
    package init(entries: UInt64, bytes: UInt64) {
      self.entries = entries
      self.bytes = bytes
    }
  }

  package init() {}
}
