import VaultModel

/// What was saved where: the seam between the director and an SQL engine.
///
/// All calls block the calling thread, and a store serialises them itself; they never run on the cooperative pool.
/// A call either happened, durably, or threw and changed nothing.
package protocol CatalogStore: AnyObject, Sendable {
  // MARK: Identity

  /// The repository's UUID, made when the catalog was.
  var repository: UniqueIdentifier { get }

  // MARK: Trees and jobs

  /// Every tree that has jobs, with its latest published one, by host and name.
  func trees() throws(CatalogError) -> [TreeRecord]

  /// Makes a job row with status *created*, and the tree when it is new; the job's number is the next free one and its
  /// sequence equals it.
  func createJob(_ request: NewJob) throws(CatalogError) -> JobRecord

  /// Makes a job row exactly as a volume describes it; does nothing when a job with that session exists, which may be
  /// one that was dropped.
  func adoptJob(_ description: JobDescription) throws(CatalogError) -> JobRecord

  func job(number: JobNumber) throws(CatalogError) -> JobRecord?
  func job(session: UniqueIdentifier) throws(CatalogError) -> JobRecord?

  /// Jobs by number, ascending; of one tree when it is given.
  func jobs(of tree: Tree?) throws(CatalogError) -> [JobRecord]

  /// The tree's newest job that may be continued, if no later job of it was published.
  func interruptedJob(of tree: Tree) throws(CatalogError) -> JobRecord?

  /// The published job with the highest sequence; of level full only, or ended at or before an instant, when asked.
  func latestPublishedJob(of tree: Tree, fullOnly: Bool, endedBy: Timestamp?) throws(CatalogError) -> JobRecord?

  /// Sets status, attempt and start of a job that begins or goes on.
  func startAttempt(_ attempt: UInt32, of job: JobNumber) throws(CatalogError)

  /// Says anew what a job that made no attempt yet compares with: others of its tree may have ended while it waited.
  ///
  /// - Throws: `.notFound`; `.conflict` when the job began already.
  func rebase(_ job: JobNumber, level: JobLevel, baseSequence: UInt64) throws(CatalogError)

  /// Ends a job without publishing: *incomplete* keeps what is staged, *failed* and *canceled* too, reachable by number
  /// only.
  func endJob(_ job: JobNumber, outcome: JobOutcome) throws(CatalogError)

  /// Where the job goes on: after everything that its commits cover.
  func resumePoint(of job: JobNumber) throws(CatalogError) -> ResumePoint

  // MARK: Staging and publishing

  /// Stages all that `body` adds, with the commit's number and volume ends, in one durable transaction.
  ///
  /// A commit whose number is not above the job's last one is ignored, and `body` is not called: replays are harmless.
  /// So is a commit of a job that was dropped.
  func stageCommit(
    _ commit: CommitHeader, of job: JobNumber, _ body: (StagingTransaction) throws -> Void
  ) throws(CatalogError)

  /// Makes a job's entries visible in one transaction and sets its outcome.
  ///
  /// - Throws: `.conflict` when a job of the tree with a higher sequence is published already.
  func publish(_ job: JobNumber, outcome: JobOutcome) throws(CatalogError)

  /// The sessions of a tree's jobs, dropped ones too: no entry of the tree refers to blocks of any other.
  func sessions(of tree: Tree) throws(CatalogError) -> [UniqueIdentifier]

  // MARK: Reading the tree

  /// Up to `limit` rows of the tree's state as the job with `sequence` left it, in canonical order after `position`.
  ///
  /// - Returns: whether more may follow.
  func readState(
    of tree: Tree, sequence: UInt64, after position: CanonicalPosition?, limit: Int, _ visit: (StateRow) throws -> Void
  ) throws(CatalogError) -> Bool

  /// Up to `limit` rows of a directory and all below it, in canonical order after `position`.
  ///
  /// - Returns: whether more may follow.
  func readRows(
    of source: SelectionSource, within directory: DirectoryKey, after position: CanonicalPosition?, limit: Int,
    _ visit: (StateRow) throws -> Void
  ) throws(CatalogError) -> Bool

  /// The entries of one directory, sorted, after a name; an empty answer also for a directory that is not there.
  func readDirectory(
    of source: SelectionSource, directory: DirectoryKey, after name: ByteString?, limit: Int,
    _ visit: (StateRow) throws -> Void
  ) throws(CatalogError) -> Bool

  /// One entry.
  func entry(of source: SelectionSource, at position: CanonicalPosition) throws(CatalogError) -> Entry?

  /// Up to `limit` directories of the source's tree, of any of its jobs, from these bytes of a key on, in order.
  func directories(
    of source: SelectionSource, from key: [UInt8], limit: Int
  ) throws(CatalogError) -> [DirectoryKey]

  /// The content of current regular files with the given inode, size and mtime; an element for each question, nil when
  /// there is none.
  func knownContents(
    of tree: Tree, _ questions: [InodeQuestion]
  ) throws(CatalogError) -> [ContentReference?]

  /// The contents that a job had staged for the given inodes when it was first asked: what an attempt that goes on refers to for
  /// further names of files that earlier attempts saved.
  func stagedContents(of job: JobNumber, _ questions: [InodeQuestion]) throws(CatalogError) -> [ContentReference?]

  /// What a restore needs, in two passes over the selection: first all directories in canonical order, then everything
  /// else
  /// ordered by where its content lies (session in order of jobs, content index), equal contents next to each other
  /// and among them equal (device, inode) next to each other; entries without content come first, ordered by (device,
  /// inode).
  ///
  /// Directories on the way to what is selected are in the first pass, too, and their rows say so.
  ///
  /// A pass that is not read to its end is ended by `endReading`: rows may wait for its next page.
  /// - Throws: `.notFound` when what was read before can no longer go on.
  func readSelection(
    of source: SelectionSource, _ selection: Selection, pass: SelectionPass, after cursor: SelectionCursor?, limit: Int,
    _ visit: (StateRow) throws -> Void
  ) throws(CatalogError) -> SelectionCursor?

  /// Gives up a pass of a selection that is not read to its end.
  func endReading(_ cursor: SelectionCursor) throws(CatalogError)

  /// Begins a selection that memory may not hold; it lasts until `endSelection`, or the store's end.
  func beginSelection() throws(CatalogError) -> SelectionNumber

  /// Adds places to a selection; none lies below another that was or will be added.
  func select(_ places: [SelectedPlace], in selection: SelectionNumber) throws(CatalogError)

  func endSelection(_ selection: SelectionNumber) throws(CatalogError)

  // MARK: Groups and volumes

  /// The groups that hold a content's bytes, in order.
  func locations(of content: ContentIdentifier, size: UInt64) throws(CatalogError) -> [GroupLocation]

  /// All groups of a kind in number order within a range: for streaming a restore.
  func locations(
    of session: UniqueIdentifier, groups: ClosedRange<UInt64>
  ) throws(CatalogError) -> [GroupLocation]

  /// The groups that hold the extended attributes which an entry of a session carried, in order.
  func extendedLocations(of carrier: ContentIdentifier) throws(CatalogError) -> [GroupLocation]

  /// What the number of an owner or group meant when the job with `sequence` saved an entry; nil when it had no name.
  func ownerName(
    of tree: Tree, sequence: UInt64, kind: OwnerKind, number: UInt32
  ) throws(CatalogError) -> ByteString?

  /// All groups that should lie in blocks of a volume, by address.
  func locations(on volume: UniqueIdentifier, blocks: Range<UInt32>) throws(CatalogError) -> [PlacedGroup]

  func volumes() throws(CatalogError) -> [Volume]

  /// Adds a volume or updates the row with its UUID; of two ends the greater counts, for sessions commit in any order.
  func recordVolume(_ volume: Volume) throws(CatalogError)

  // MARK: History

  /// The versions of one entry that a kept job of the tree has, newest first, of those that began before a sequence.
  ///
  /// - Returns: whether more may follow.
  func readVersions(
    of tree: Tree, at position: CanonicalPosition, before sequence: UInt64?, limit: Int,
    _ visit: (EntryVersion) throws -> Void
  ) throws(CatalogError) -> Bool

  /// The versions of all entries of a tree in canonical order, those of one entry oldest first.
  ///
  /// `accept` sees directory and name of each row, `visit` those it took. A call looks at up to `limit` rows, so that
  /// others get their turn between pages.
  /// - Returns: where the next page begins; nil when there is none.
  func readHistory(
    of tree: Tree, after cursor: HistoryCursor?, limit: Int,
    accept: (_ directory: UnsafeRawBufferPointer, _ name: UnsafeRawBufferPointer) -> Bool,
    _ visit: (EntryVersion) throws -> Void
  ) throws(CatalogError) -> HistoryCursor?

  // MARK: Retention

  /// Drops jobs in one transaction: no kept job's state changes, and rows that no kept job sees are gone.
  ///
  /// A tree whose newest published jobs go is as its newest kept job left it. Jobs that are not published go along with
  /// the job that they compare with. Until `finishFreeing`, `isFreeing` says that volumes may be free now.
  /// - Returns: the jobs that were dropped, by number.
  /// - Throws: `.notFound` when one of them does not exist.
  func dropJobs(_ numbers: [JobNumber], at now: Timestamp) throws(CatalogError) -> [JobRecord]

  /// What a rebuilt catalog must know of dropped jobs.
  func retentionMarks() throws(CatalogError) -> RetentionMarks

  /// Takes over marks that a volume holds: job numbers go on behind the highest one ever given.
  func reserveJobNumbers(through last: JobNumber) throws(CatalogError)

  /// Whether jobs were dropped and `finishFreeing` did not come since.
  func isFreeing() throws(CatalogError) -> Bool

  /// Volumes that hold neither content that a row refers to, nor attributes that a rebuilt catalog needs.
  func unneededVolumes() throws(CatalogError) -> [Volume]

  /// Sessions that a rebuilt catalog needs, with the number of their last group.
  func neededSessions() throws(CatalogError) -> [NeededSession]

  /// Records volumes and gives others the status *purged*, in one transaction: their files may go from now on.
  func purgeVolumes(_ volumes: [UniqueIdentifier], recording touched: [Volume]) throws(CatalogError)

  /// How much of each volume is needed, in the order in which the catalog met them; purged ones are left out.
  ///
  /// - Parameter numbers: jobs that are looked at as if they were dropped.
  func volumeNeeds(ifDropping numbers: [JobNumber], at now: Timestamp) throws(CatalogError) -> [VolumeNeed]

  /// The groups in a stretch of a volume that are needed, in the order of their blocks, as `volumeNeeds` found them last.
  func neededGroups(on volume: UniqueIdentifier, blocks: Range<UInt32>) throws(CatalogError) -> [BlockGroup]

  /// Begins to note where groups of a volume lie now; what was noted before is forgotten.
  func beginMoving() throws(CatalogError)

  /// Notes where groups of a session lie on the volume that takes another's place; nothing comes of it before
  /// `replaceVolume`.
  func noteMoved(_ groups: [BlockGroup], of session: UniqueIdentifier) throws(CatalogError)

  /// Gives the groups that were noted their new places, and the old volume the status *purged*, in one transaction.
  ///
  /// - Throws: `.conflict` when a group that is needed would be left behind; nothing has changed then.
  func replaceVolume(_ old: UniqueIdentifier, by new: Volume) throws(CatalogError)

  /// Removes the rows of purged volumes and of the groups on them, for their files are gone.
  func finishFreeing() throws(CatalogError)

  /// The problems that a job met, in order, `limit` at most; they are numbered from 1, those up to `number` are left
  /// out.
  func problems(of job: JobNumber, after number: UInt64, limit: Int) throws(CatalogError) -> [FileProblem]

  // MARK: Damage

  /// The contents that a data group of a session holds bytes of, whether or not there is an entry for each; nil when it
  /// is no data group.
  func contents(ofGroup number: UInt64, of session: UniqueIdentifier) throws(CatalogError) -> ClosedRange<UInt64>?

  /// Looks for the entries of all states whose content is damaged; `readAffected` then visits them.
  func findAffected(_ damaged: [DamagedContents]) throws(CatalogError)

  /// Up to `limit` of the entries that `findAffected` found, by damage, after a row; 0 begins.
  ///
  /// - Returns: the row to go on after; nil at the end.
  func readAffected(
    after row: Int64, limit: Int, _ visit: (AffectedEntry) throws -> Void
  ) throws(CatalogError) -> Int64?

  // MARK: Operations

  /// Appends lines to a job's log, numbered on from its last one; job 0 is the daemon itself. Durable when it returned.
  ///
  /// - Throws: `.notFound` when there is no such job, or it was dropped.
  func appendLog(_ lines: [LogLine], of job: JobNumber) throws(CatalogError)

  /// Up to `limit` lines of a job's log after a number, in order.
  func readLog(of job: JobNumber, after number: UInt64, limit: Int) throws(CatalogError) -> [LogLine]

  /// Begins a job that stores nothing, as running; its number is the next free one of all jobs.
  func createErrand(_ request: NewErrand) throws(CatalogError) -> ErrandRecord

  /// Ends a job that stores nothing.
  ///
  /// - Throws: `.notFound`; `.conflict` when it is over already, or the status is none that a job ends with.
  func endErrand(
    _ number: JobNumber, status: JobStatus, ended: Timestamp, files: UInt64, bytes: UInt64, problems: UInt64
  ) throws(CatalogError)

  /// Up to `limit` jobs that store nothing, by number, after one; 0 begins.
  func errands(after number: JobNumber, limit: Int) throws(CatalogError) -> [ErrandRecord]
  func errand(number: JobNumber) throws(CatalogError) -> ErrandRecord?

  /// Marks as failed those jobs without content that were running when the director ended.
  func abandonErrands(at now: Timestamp) throws(CatalogError)

  /// Up to `limit` jobs before a number, newest first; of one tree when it is given.
  func recentJobs(of tree: Tree?, before number: JobNumber?, limit: Int) throws(CatalogError) -> [JobRecord]

  /// The jobs of all trees that may be continued, by number: no later job of their tree is published.
  func waitingJobs() throws(CatalogError) -> [JobRecord]

  /// Closes the database; the store is not used after.
  func close() throws(CatalogError)
}

/// A job that is about to begin.
package struct NewJob: Sendable {
  package var tree: Tree
  package var level: JobLevel
  package var baseSequence: UInt64
  package var session: UniqueIdentifier
  package var paths: [ByteString]
  package var created: Timestamp
  /// The configuration's name for it.
  package var jobName: String?

  package init(
    tree: Tree, level: JobLevel, baseSequence: UInt64, session: UniqueIdentifier, paths: [ByteString],
    created: Timestamp, jobName: String? = nil
  ) {
    self.jobName = jobName
    self.tree = tree
    self.level = level
    self.baseSequence = baseSequence
    self.session = session
    self.paths = paths
    self.created = created
  }
}

/// A job's row.
package struct JobRecord: Hashable, Sendable {
  package var description: JobDescription
  package var status: JobStatus
  /// The running or last attempt, from 1; 0 before the first.
  package var attempt: UInt32
  /// The last commit that the catalog holds; 0 before the first.
  package var lastCommit: UInt64
  package var ended: Timestamp?
  package var counters: JobCounters
  /// When the job was dropped: only its number, its times and what others refer to are left.
  package var dropped: Timestamp?
  /// The configuration's name for it; nil for a job that had none, or that a volume describes.
  package var jobName: String?

  package init(
    description: JobDescription, status: JobStatus, attempt: UInt32, lastCommit: UInt64, ended: Timestamp?,
    counters: JobCounters, dropped: Timestamp? = nil, jobName: String? = nil
  ) {
    self.jobName = jobName
    self.description = description
    self.status = status
    self.attempt = attempt
    self.lastCommit = lastCommit
    self.ended = ended
    self.counters = counters
    self.dropped = dropped
  }
}

/// A tree and what is known of it.
package struct TreeRecord: Hashable, Sendable {
  package var tree: Tree
  package var latest: JobRecord?
  package init(tree: Tree, latest: JobRecord?) {
    self.tree = tree
    self.latest = latest
  }
}

/// One commit point as the storage daemon reports it.
package struct CommitHeader: Hashable, Sendable {
  package var number: UInt64
  package var attempt: UInt32
  /// The volumes the commit touched, with their new ends and states.
  package var volumes: [Volume]
  package init(number: UInt64, attempt: UInt32, volumes: [Volume]) {
    self.number = number
    self.attempt = attempt
    self.volumes = volumes
  }
}

/// What one commit adds; valid only inside `stageCommit`'s body. It takes what attribute groups carry as they are read.
package protocol StagingTransaction: AttributeSink {
  /// The catalog's number for a directory of the job's tree, made when it is new.
  func directory(_ key: DirectoryKey) throws(CatalogError) -> DirectoryNumber

  /// Adds an entry or replaces the one that an earlier attempt staged under the same name.
  ///
  /// An entry with content `.own` stays unsealed, and invisible at publishing, until `seal`.
  func entry(index: UInt64, directory: DirectoryNumber, _ entry: Entry) throws(CatalogError)

  /// Seals the content of the entry with `index`.
  func seal(index: UInt64, _ content: SealedContent) throws(CatalogError)
  func deletion(directory: DirectoryNumber, name: ByteString) throws(CatalogError)
  func problem(directory: DirectoryNumber, name: ByteString, phase: ProblemPhase, errorNumber: Int32)
    throws(CatalogError)
  /// Notes that a group holds a part of the extended attributes that the entry with `index` carries.
  func extendedAttributes(index: UInt64, group: UInt64) throws(CatalogError)

  /// Notes what a number means from this job on.
  func ownerName(kind: OwnerKind, number: UInt32, name: ByteString) throws(CatalogError)
  func location(_ location: GroupLocation) throws(CatalogError)
}

/// A directory's number in the catalog.
package typealias DirectoryNumber = Int64

/// One entry of a tree's state.
package struct StateRow: Sendable {
  package var directory: DirectoryKey
  package var entry: Entry
  /// The sequence of the job that saved this version.
  package var first: UInt64
  /// Whether it is a directory that only leads to what was selected.
  package var leadsOnly = false
  package init(directory: DirectoryKey, entry: Entry, first: UInt64) {
    self.directory = directory
    self.entry = entry
    self.first = first
  }
}

/// Where an interrupted job goes on.
package struct ResumePoint: Hashable, Sendable {
  /// The last entry, in canonical order, up to which everything is complete; nil when nothing is.
  package var position: CanonicalPosition?
  package var nextEntryIndex: UInt64
  package var nextGroup: UInt64
  package var nextCommit: UInt64
  /// The file whose entry is staged and whose seal is not, with its index and the groups of it that commits cover.
  package var halfSent: HalfSentFile?
  /// Entries and content bytes that commits cover already.
  package var keptEntries: UInt64
  package var keptBytes: UInt64
  package init(
    position: CanonicalPosition?, nextEntryIndex: UInt64, nextGroup: UInt64, nextCommit: UInt64,
    halfSent: HalfSentFile?,
    keptEntries: UInt64, keptBytes: UInt64
  ) {
    self.position = position
    self.nextEntryIndex = nextEntryIndex
    self.nextGroup = nextGroup
    self.nextCommit = nextCommit
    self.halfSent = halfSent
    self.keptEntries = keptEntries
    self.keptBytes = keptBytes
  }
}

/// A large file of which a commit covers the beginning.
package struct HalfSentFile: Hashable, Sendable {
  package var index: UInt64
  package var directory: DirectoryKey
  package var entry: Entry
  package var committed: CommittedGroups
  package init(index: UInt64, directory: DirectoryKey, entry: Entry, committed: CommittedGroups) {
    self.committed = committed
    self.index = index
    self.directory = directory
    self.entry = entry
  }
}

/// A file that is new under its name: is its content known under another?
package struct InodeQuestion: Hashable, Sendable {
  package var device: UInt64
  package var inode: UInt64
  package var size: UInt64
  package var modified: FileTime
  package init(device: UInt64, inode: UInt64, size: UInt64, modified: FileTime) {
    self.device = device
    self.inode = inode
    self.size = size
    self.modified = modified
  }
}

/// Whose entries a restore takes.
package enum SelectionSource: Hashable, Sendable {
  /// The tree as the published job with this sequence left it.
  case state(tree: Tree, sequence: UInt64)
  /// What an unpublished job has staged and sealed.
  case staged(job: JobNumber)
  /// Every content that an entry of any state has, once, with one of its entries: no directories, nothing without content.
  case everyContent
}

/// The two passes of a restore.
package enum SelectionPass: Hashable, Sendable {
  case directories
  case contents
}

/// One version of an entry: a row, and which jobs have it.
package struct EntryVersion: Sendable {
  package var row: StateRow
  /// The job that saved this version; it may be dropped.
  package var saved: JobMoment
  /// The oldest and the newest kept job that have it.
  package var firstKept: JobMoment
  package var lastKept: JobMoment
  /// The job that replaced or deleted it; nil for a current one. It may be dropped.
  package var ended: JobMoment?
}

/// A job and when it was.
package struct JobMoment: Hashable, Sendable {
  package var number: JobNumber
  package var ended: Timestamp?
}

/// Where a reading of history goes on; opaque to callers.
package struct HistoryCursor: Hashable, Sendable {
  var position: CanonicalPosition
  var first: Int64
}

/// What volumes must say of dropped jobs, so that a catalog rebuilt from them does not bring these back.
package struct RetentionMarks: Hashable, Sendable {
  /// The highest job number ever given.
  package var lastNumber: JobNumber
  package var trees: [TreeRetention]
}

/// A session that a rebuilt catalog needs.
package struct NeededSession: Hashable, Sendable {
  package var session: UniqueIdentifier
  /// The number of its last group that the catalog knows; 0 for none.
  package var lastGroup: UInt64
  package init(session: UniqueIdentifier, lastGroup: UInt64) {
    self.session = session
    self.lastGroup = lastGroup
  }
}

/// How much of a volume is needed.
package struct VolumeNeed: Hashable, Sendable {
  package var volume: Volume
  /// Bytes of blocks with the groups that are needed and nothing else.
  package var groupByteCount: UInt64
  /// Jobs with groups there, needed or not, of which a rebuilt catalog needs to know.
  package var jobCount: UInt64
  /// Whether groups of a job lie there that the next backup goes on with.
  package var isGoingOn: Bool
  /// Whether any group there is needed.
  package var isNeeded: Bool
  package init(volume: Volume, groupByteCount: UInt64, jobCount: UInt64, isGoingOn: Bool, isNeeded: Bool) {
    self.volume = volume
    self.groupByteCount = groupByteCount
    self.jobCount = jobCount
    self.isGoingOn = isGoingOn
    self.isNeeded = isNeeded
  }
}

/// What of a source is asked for.
package enum Selection: Hashable, Sendable {
  /// Absolute paths; each selects the entry and all below it. None selects everything.
  case paths([ByteString])
  /// What was noted in a selection that `beginSelection` began.
  case noted(SelectionNumber)
}

package typealias SelectionNumber = Int

/// One place of a noted selection.
package enum SelectedPlace: Hashable, Sendable {
  /// A directory on the way to what is selected.
  case onTheWay(CanonicalPosition)
  case entry(CanonicalPosition)
  /// Everything inside a directory.
  case below(DirectoryKey)
}

/// Where a selection goes on; opaque to callers.
package struct SelectionCursor: Hashable, Sendable {
  /// The last entry visited of a pass in canonical order.
  var position: CanonicalPosition?
  /// The last row visited of a pass in the order of contents.
  var row: Int64 = 0
  /// Where that pass's rows wait.
  var waiting: WaitingRows?
}

/// The sorted rows of a selection, whose order no index has: one reader's own.
struct WaitingRows: Hashable, Sendable {
  /// What they are found by.
  var number: Int
  /// How many there are in a catalog on a server: where they have to be sorted again, as many are to come.
  var count: Int64 = 0
}
