import Synchronization
import VaultModel

/// The catalog in one SQLite file.
///
/// What it holds: trees and their jobs; which entries each published job left, as intervals of job sequences
/// (`entry_current`, `entry_past`); what running jobs staged; where record groups lie on which volumes. What it does
/// not: content,
/// extended attributes, keys, and nothing that volumes cannot rebuild. vault-catalog(7) is normative.
///
/// Calls from any thread take turns. A closure that a call lends its work to must not call the catalog.
package final class SQLiteCatalog: CatalogStore, @unchecked Sendable {
  // `connection` is touched by `exclusively` only, one thread at a time: hence unchecked.
  private let turn = Mutex(())
  private let connection: CatalogConnection

  package let repository: UniqueIdentifier

  init(connection: CatalogConnection, repository: UniqueIdentifier) {
    self.connection = connection
    self.repository = repository
  }

  /// Runs `work` alone, and tells an error where and during what it happened.
  func exclusively<Result: Sendable>(
    _ activity: String, _ work: (CatalogConnection) throws(CatalogError) -> Result
  ) throws(CatalogError) -> Result {
    try turn.withLock { (_: inout sending Void) throws(CatalogError) -> Result in
      do throws(CatalogError) {
        return try work(connection)
      } catch {
        throw error.located(activity: activity, path: connection.path)
      }
    }
  }

  /// Virtual machine steps that SQLite has taken for this catalog: what queries cost, counted instead of timed.
  package var stepCount: Int64 { turn.withLock { _ in connection.stepCount } }

  /// Sorts that SQLite has made for this catalog.
  package var sortCount: Int64 { turn.withLock { _ in connection.sortCount } }

  package func close() throws(CatalogError) {
    try exclusively("closing it") { connection throws(CatalogError) in try connection.close() }
  }
}

extension SQLiteCatalog {
  package func trees() throws(CatalogError) -> [TreeRecord] {
    try exclusively("listing trees") { connection throws(CatalogError) in try connection.trees() }
  }

  package func sessions(of tree: Tree) throws(CatalogError) -> [UniqueIdentifier] {
    try exclusively("listing sessions") { connection throws(CatalogError) in try connection.sessions(of: tree) }
  }

  package func createJob(_ request: NewJob) throws(CatalogError) -> JobRecord {
    try exclusively("making a job") { connection throws(CatalogError) in try connection.createJob(request) }
  }

  package func adoptJob(_ description: JobDescription) throws(CatalogError) -> JobRecord {
    try exclusively("adopting job \(description.number)") { connection throws(CatalogError) in
      try connection.adoptJob(description)
    }
  }

  package func job(number: JobNumber) throws(CatalogError) -> JobRecord? {
    try exclusively("looking for job \(number)") { connection throws(CatalogError) in
      try connection.job(number: number).flatMap { $0.isDropped ? nil : $0.record }
    }
  }

  package func job(session: UniqueIdentifier) throws(CatalogError) -> JobRecord? {
    try exclusively("looking for session \(session)") { connection throws(CatalogError) in
      try connection.job(session: session).flatMap { $0.isDropped ? nil : $0.record }
    }
  }

  package func jobs(of tree: Tree?) throws(CatalogError) -> [JobRecord] {
    try exclusively("listing jobs") { connection throws(CatalogError) in try connection.jobs(of: tree) }
  }

  package func interruptedJob(of tree: Tree) throws(CatalogError) -> JobRecord? {
    try exclusively("looking for an interrupted job") { connection throws(CatalogError) in
      try connection.interruptedJob(of: tree)
    }
  }

  package func latestPublishedJob(
    of tree: Tree, fullOnly: Bool, endedBy: Timestamp?
  ) throws(CatalogError) -> JobRecord? {
    try exclusively("looking for the latest job") { connection throws(CatalogError) in
      try connection.latestPublishedJob(of: tree, fullOnly: fullOnly, endedBy: endedBy)
    }
  }

  package func startAttempt(_ attempt: UInt32, of job: JobNumber) throws(CatalogError) {
    try exclusively("starting attempt \(attempt) of job \(job)") { connection throws(CatalogError) in
      try connection.startAttempt(attempt, of: job)
    }
  }

  package func endJob(_ job: JobNumber, outcome: JobOutcome) throws(CatalogError) {
    try exclusively("ending job \(job)") { connection throws(CatalogError) in
      try connection.endJob(job, outcome: outcome)
    }
  }

  package func resumePoint(of job: JobNumber) throws(CatalogError) -> ResumePoint {
    try exclusively("finding where job \(job) goes on") { connection throws(CatalogError) in
      try connection.resumePoint(of: job)
    }
  }

  package func problems(
    of job: JobNumber, after number: UInt64, limit: Int
  ) throws(CatalogError) -> [FileProblem] {
    try exclusively("listing the problems of job \(job)") { connection throws(CatalogError) in
      try connection.problems(of: job, after: number, limit: limit)
    }
  }
}

extension SQLiteCatalog {
  package func stageCommit(
    _ commit: CommitHeader, of job: JobNumber, _ body: (any StagingTransaction) throws -> Void
  ) throws(CatalogError) {
    try exclusively("staging commit \(commit.number) of job \(job)") { connection throws(CatalogError) in
      try connection.stageCommit(commit, of: job, body)
    }
  }

  package func publish(_ job: JobNumber, outcome: JobOutcome) throws(CatalogError) {
    try exclusively("publishing job \(job)") { connection throws(CatalogError) in
      try connection.publish(job, outcome: outcome)
    }
  }

  package func readState(
    of tree: Tree, sequence: UInt64, after position: CanonicalPosition?, limit: Int, _ visit: (StateRow) throws -> Void
  ) throws(CatalogError) -> Bool {
    try exclusively("reading a tree's state") { connection throws(CatalogError) in
      try connection.readState(of: tree, sequence: sequence, after: position, limit: limit, visit)
    }
  }

  package func readRows(
    of source: SelectionSource, within directory: DirectoryKey, after position: CanonicalPosition?, limit: Int,
    _ visit: (StateRow) throws -> Void
  ) throws(CatalogError) -> Bool {
    try exclusively("reading what lies below a directory") { connection throws(CatalogError) in
      try connection.readRows(of: source, within: directory, after: position, limit: limit, visit)
    }
  }

  package func readDirectory(
    of source: SelectionSource, directory: DirectoryKey, after name: ByteString?, limit: Int,
    _ visit: (StateRow) throws -> Void
  ) throws(CatalogError) -> Bool {
    try exclusively("reading a directory") { connection throws(CatalogError) in
      try connection.readDirectory(of: source, directory: directory, after: name, limit: limit, visit)
    }
  }

  package func entry(
    of source: SelectionSource, at position: CanonicalPosition
  ) throws(CatalogError) -> Entry? {
    try exclusively("looking for an entry") { connection throws(CatalogError) in
      try connection.entry(of: source, at: position)
    }
  }

  package func directories(
    of source: SelectionSource, from key: [UInt8], limit: Int
  ) throws(CatalogError) -> [DirectoryKey] {
    try exclusively("listing directories") { connection throws(CatalogError) in
      try connection.directories(of: source, from: key, limit: limit)
    }
  }

  package func knownContents(
    of tree: Tree, _ questions: [InodeQuestion]
  ) throws(CatalogError) -> [ContentReference?] {
    try exclusively("looking for known contents") { connection throws(CatalogError) in
      try connection.knownContents(of: tree, questions)
    }
  }

  package func stagedContents(
    of job: JobNumber, _ questions: [InodeQuestion]
  ) throws(CatalogError) -> [ContentReference?] {
    try exclusively("looking for staged contents") { connection throws(CatalogError) in
      try connection.stagedContents(of: job, questions)
    }
  }

  package func readSelection(
    of source: SelectionSource, _ selection: Selection, pass: SelectionPass, after cursor: SelectionCursor?, limit: Int,
    _ visit: (StateRow) throws -> Void
  ) throws(CatalogError) -> SelectionCursor? {
    try exclusively("reading a selection") { connection throws(CatalogError) in
      try connection.readSelection(of: source, selection, pass: pass, after: cursor, limit: limit, visit)
    }
  }

  package func endReading(_ cursor: SelectionCursor) throws(CatalogError) {
    try exclusively("ending a selection") { connection throws(CatalogError) in try connection.endReading(cursor) }
  }

  package func beginSelection() throws(CatalogError) -> SelectionNumber {
    try exclusively("beginning a selection") { connection throws(CatalogError) in try connection.beginSelection() }
  }

  package func select(_ places: [SelectedPlace], in selection: SelectionNumber) throws(CatalogError) {
    try exclusively("selecting") { connection throws(CatalogError) in try connection.select(places, in: selection) }
  }

  package func endSelection(_ selection: SelectionNumber) throws(CatalogError) {
    try exclusively("ending a selection") { connection throws(CatalogError) in
      try connection.endSelection(selection)
    }
  }

  package func locations(of content: ContentIdentifier, size: UInt64) throws(CatalogError) -> [GroupLocation] {
    try exclusively("locating a content") { connection throws(CatalogError) in
      try connection.locations(of: content, size: size)
    }
  }

  package func locations(
    of session: UniqueIdentifier, groups: ClosedRange<UInt64>
  ) throws(CatalogError) -> [GroupLocation] {
    try exclusively("locating groups") { connection throws(CatalogError) in
      try connection.locations(of: session, groups: groups)
    }
  }

  package func extendedLocations(of carrier: ContentIdentifier) throws(CatalogError) -> [GroupLocation] {
    try exclusively("finding extended attributes") { connection throws(CatalogError) in
      try connection.extendedLocations(of: carrier)
    }
  }

  package func ownerName(
    of tree: Tree, sequence: UInt64, kind: OwnerKind, number: UInt32
  ) throws(CatalogError) -> ByteString? {
    try exclusively("looking for an owner's name") { connection throws(CatalogError) in
      guard let tree = try connection.treeNumber(tree) else { return nil }
      return try connection.ownerName(tree: tree, sequence: sequence, kind: kind, number: number)
    }
  }

  package func locations(
    on volume: UniqueIdentifier, blocks: Range<UInt32>
  ) throws(CatalogError) -> [PlacedGroup] {
    try exclusively("locating the groups of a volume") { connection throws(CatalogError) in
      try connection.locations(on: volume, blocks: blocks)
    }
  }

  package func contents(
    ofGroup number: UInt64, of session: UniqueIdentifier
  ) throws(CatalogError) -> ClosedRange<UInt64>? {
    try exclusively("looking for a group's contents") { connection throws(CatalogError) in
      try connection.contents(ofGroup: number, of: session)
    }
  }

  package func findAffected(_ damaged: [DamagedContents]) throws(CatalogError) {
    try exclusively("looking for what damage costs") { connection throws(CatalogError) in
      try connection.findAffected(damaged)
    }
  }

  package func readAffected(
    after row: Int64, limit: Int, _ visit: (AffectedEntry) throws -> Void
  ) throws(CatalogError) -> Int64? {
    try exclusively("reading what damage costs") { connection throws(CatalogError) in
      try connection.readAffected(after: row, limit: limit, visit)
    }
  }

  package func volumes() throws(CatalogError) -> [Volume] {
    try exclusively("listing volumes") { connection throws(CatalogError) in try connection.volumes() }
  }

  package func recordVolume(_ volume: Volume) throws(CatalogError) {
    try exclusively("recording volume \(volume.name)") { connection throws(CatalogError) in
      try connection.transaction { () throws(CatalogError) in try connection.recordVolume(volume) }
    }
  }
}

extension SQLiteCatalog {
  package func readVersions(
    of tree: Tree, at position: CanonicalPosition, before sequence: UInt64?, limit: Int,
    _ visit: (EntryVersion) throws -> Void
  ) throws(CatalogError) -> Bool {
    try exclusively("looking for versions") { connection throws(CatalogError) in
      try connection.readVersions(of: tree, at: position, before: sequence, limit: limit, visit)
    }
  }

  package func readHistory(
    of tree: Tree, after cursor: HistoryCursor?, limit: Int,
    accept: (_ directory: UnsafeRawBufferPointer, _ name: UnsafeRawBufferPointer) -> Bool,
    _ visit: (EntryVersion) throws -> Void
  ) throws(CatalogError) -> HistoryCursor? {
    try exclusively("reading a tree's history") { connection throws(CatalogError) in
      try connection.readHistory(of: tree, after: cursor, limit: limit, accept: accept, visit)
    }
  }

  package func dropJobs(_ numbers: [JobNumber], at now: Timestamp) throws(CatalogError) -> [JobRecord] {
    try exclusively("dropping jobs") { connection throws(CatalogError) in try connection.dropJobs(numbers, at: now) }
  }

  package func retentionMarks() throws(CatalogError) -> RetentionMarks {
    try exclusively("listing dropped jobs") { connection throws(CatalogError) in try connection.retentionMarks() }
  }

  package func reserveJobNumbers(through last: JobNumber) throws(CatalogError) {
    try exclusively("reserving job numbers") { connection throws(CatalogError) in
      try connection.reserveJobNumbers(through: last)
    }
  }

  package func isFreeing() throws(CatalogError) -> Bool {
    try exclusively("looking for dropped jobs") { connection throws(CatalogError) in try connection.isFreeing() }
  }

  package func unneededVolumes() throws(CatalogError) -> [Volume] {
    try exclusively("looking for free volumes") { connection throws(CatalogError) in
      try connection.unneededVolumes()
    }
  }

  package func neededSessions() throws(CatalogError) -> [NeededSession] {
    try exclusively("listing sessions in use") { connection throws(CatalogError) in try connection.neededSessions() }
  }

  package func purgeVolumes(
    _ volumes: [UniqueIdentifier], recording touched: [Volume]
  ) throws(CatalogError) {
    try exclusively("purging volumes") { connection throws(CatalogError) in
      try connection.purgeVolumes(volumes, recording: touched)
    }
  }

  package func volumeNeeds(
    ifDropping numbers: [JobNumber], at now: Timestamp
  ) throws(CatalogError) -> [VolumeNeed] {
    try exclusively("looking how much of the volumes is needed") { connection throws(CatalogError) in
      try connection.volumeNeeds(ifDropping: numbers, at: now)
    }
  }

  package func neededGroups(
    on volume: UniqueIdentifier, blocks: Range<UInt32>
  ) throws(CatalogError) -> [BlockGroup] {
    try exclusively("looking for needed groups") { connection throws(CatalogError) in
      try connection.neededGroups(on: volume, blocks: blocks)
    }
  }

  package func beginMoving() throws(CatalogError) {
    try exclusively("moving groups") { connection throws(CatalogError) in try connection.beginMoving() }
  }

  package func noteMoved(_ groups: [BlockGroup], of session: UniqueIdentifier) throws(CatalogError) {
    try exclusively("moving groups") { connection throws(CatalogError) in
      try connection.noteMoved(groups, of: session)
    }
  }

  package func replaceVolume(_ old: UniqueIdentifier, by new: Volume) throws(CatalogError) {
    try exclusively("replacing a volume by \(new.name)") { connection throws(CatalogError) in
      try connection.replaceVolume(old, by: new)
    }
  }

  package func finishFreeing() throws(CatalogError) {
    try exclusively("forgetting purged volumes") { connection throws(CatalogError) in try connection.finishFreeing() }
  }
}
