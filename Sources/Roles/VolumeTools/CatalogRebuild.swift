import VaultCatalog
import VaultDevice
import VaultModel
import VaultProtocol
import VaultSystem

/// Puts what volumes say into a catalog, session by session in the order of their jobs.
///
/// Damage costs what it hit: of a commit that is not whole, what can be read is taken when its job has ended, for the next
/// job of the tree saves again what is missing then.
struct CatalogRebuild: ~Copyable {
  private let catalog: any CatalogStore
  private let scanned: ScannedFiles
  /// Whether everything readable is taken, also of jobs that are not whole: for catalogs that nothing is added to.
  private let takesAll: Bool
  private let clock: any VaultClock
  /// Where a director finds a volume of a name; nil where there is only one place.
  private let place: (String) -> String?
  private var readers: [UniqueIdentifier: VolumeReader] = [:]
  /// What the volumes say of dropped jobs, tree by tree.
  private var retention: [Tree: TreeRetention] = [:]
  /// Jobs that are dropped, and were taken only because kept ones build on them or refer to what they stored.
  private var dropped: [JobNumber] = []
  private let buffer = UnsafeMutableRawBufferPointer.allocate(
    byteCount: BlockHeader.maximumBlockSizes.upperBound, alignment: 4096)

  init(
    catalog: any CatalogStore, scanned: ScannedFiles, takesAll: Bool = false, clock: any VaultClock = SystemClock(),
    place: @escaping (String) -> String? = { _ in nil }
  ) {
    self.place = place
    self.clock = clock
    self.takesAll = takesAll
    self.catalog = catalog
    self.scanned = scanned
    for record in scanned.report.retention { merge(record.retention) }
  }

  /// What is dropped stays dropped: of several records, each adds to the others.
  private mutating func merge(_ new: TreeRetention) {
    var known =
      retention[new.tree] ?? TreeRetention(tree: new.tree, firstKept: 0, dropped: [], undone: [])
    known.firstKept = max(known.firstKept, new.firstKept)
    known.dropped += new.dropped
    known.undone += new.undone
    retention[new.tree] = known
  }

  deinit { buffer.deallocate() }

  mutating func run(_ report: inout VolumeScanReport) throws {
    let found = scanned.report
    for (volume, label) in zip(found.volumes, found.labels) {
      if let store = scanned.store(of: volume.name) {
        readers[volume.identifier] = VolumeReader(store: store, repository: label.record.repository)
      }
      var placed = volume
      placed.place = place(volume.name)
      try catalog.recordVolume(placed)
      report.volumes.append(
        VolumeScanReport.VolumeLine(
          name: volume.name, bytes: UInt64(volume.end.block) * 4096, status: volume.status.rawValue))
    }
    for damage in found.unexplainedDamage { report.damaged(damage.description) }
    if let last = found.retention.map(\.lastNumber).max() { try catalog.reserveJobNumbers(through: last) }
    for session in found.sessions { try add(session, &report) }
    if !dropped.isEmpty {
      _ = try catalog.dropJobs(dropped, at: clock.now())
      // A rebuilt catalog may lack what damage hid: it frees nothing by itself.
      try catalog.finishFreeing()
    }
    if !takesAll { try purgeReplaced(found, &report) }
    report.jobs = try catalog.jobs(of: nil).count
  }

  /// Notes that volumes which others replaced are to go, at the next start, as if the replacing had only just been done.
  private func purgeReplaced(_ found: ScanReport, _ report: inout VolumeScanReport) throws {
    let known = Set(try catalog.volumes().map(\.identifier))
    let damaged = Set(found.unexplainedDamage.map(\.volume))
    for volume in found.leftOut {
      report.notes.append(volume.description)
      guard case .replaced(let other) = volume.reason, !damaged.contains(other), !known.contains(volume.identifier)
      else {
        continue
      }
      try catalog.recordVolume(
        Volume(
          identifier: volume.identifier, name: volume.name, status: .purged, end: VolumeLabel.firstBlock,
          labeled: clock.now(), place: place(volume.name)))
    }
  }

  private mutating func add(_ session: RecoveredSession, _ report: inout VolumeScanReport) throws {
    // Of a dropped job any part may be left.
    if session.job == nil, !retention.isEmpty { return }
    guard let description = try session.job ?? (takesAll ? standIn(for: session) : nil) else {
      report.damaged("Session \(session.session): its start is missing, so its job is not known; it was left out.")
      return
    }
    if session.job == nil {
      report.damaged(
        "Session \(session.session): its start is missing; what can be read of it is called job \(description.number).")
    }
    let job: JobRecord
    do throws(CatalogError) { job = try catalog.adoptJob(description) } catch {
      guard error.kind == .conflict || error.kind == .outOfRange else { throw error }
      report.damaged("Job \(description.number) of session \(session.session) was left out: \(error)")
      return
    }
    if job.status.isPublished || job.dropped != nil { return }
    let (number, sequence) = (description.number, description.sequence)
    let retention = retention[description.tree]
    if let retention, sequence < retention.firstKept || retention.undone.contains(sequence) {
      // Kept jobs may refer to what it stored, and to nothing else of it.
      try catalog.startAttempt(max(job.attempt, session.highestAttempt), of: number)
      for commit in session.commits { try stage(commit, of: number, .referencesOnly, &report) }
      dropped.append(number)
      return
    }
    try catalog.startAttempt(max(job.attempt, session.highestAttempt), of: job.description.number)
    for commit in session.commits {
      if !commit.isWhole, retention == nil, !takesAll, !(session.outcome?.status.isPublished ?? false) {
        report.damaged(
          "Job \(job.description.number): commit \(commit.number) is damaged; what it holds was left out.")
        continue
      }
      try stage(commit, of: number, retention == nil ? .asMuchAsPossible : .asMuchAsIsLeft, &report)
    }
    try end(session, job, &report)
    if retention != nil, !takesAll, session.commits.contains(where: { !$0.isWhole }) {
      report.notes.append(
        "Job \(number): record groups of it are missing, which went with dropped jobs or are lost; verify tells which.")
    }
    if retention?.dropped.contains(sequence) == true { dropped.append(number) }
  }

  /// A description for a session that does not say whose it is.
  private func standIn(for session: RecoveredSession) throws -> JobDescription? {
    guard !session.commits.isEmpty else { return nil }
    let last = try catalog.jobs(of: nil).last?.description.number ?? 0
    let known = scanned.report.sessions.compactMap { $0.job?.number }.max() ?? 0
    let number = max(last, known)
    guard number < JobNumber(Int64.max) else { return nil }
    return JobDescription(
      number: number + 1, session: session.session,
      tree: Tree(host: "", name: ByteString("session \(session.session.text)")), level: .full, sequence: number + 1,
      baseSequence: 0, created: scanned.report.labels.first?.record.labeled ?? Timestamp(nanoseconds: 0), paths: [])
  }

  /// What is taken of a commit, and what counts as damage.
  private enum Taking {
    case asMuchAsPossible
    /// That groups are missing is no damage: their volumes may have gone with dropped jobs.
    case asMuchAsIsLeft
    /// Where its groups and lists of extended attributes lie.
    case referencesOnly
  }

  /// Stages a commit; one that is not whole as far as it can be read.
  private mutating func stage(
    _ commit: RecoveredCommit, of job: JobNumber, _ taking: Taking, _ report: inout VolumeScanReport
  ) throws {
    let header = CommitHeader(number: commit.number, attempt: commit.attempt, volumes: commit.volumes)
    var failure: (any Error)?
    let (readers, buffer) = (readers, buffer)
    var skipped: UInt64 = 0
    var unreadable = 0
    do {
      try catalog.stageCommit(header, of: job) { transaction in
        do {
          var reader = try AttributeGroupReader(isLenient: true)
          let sink = LenientSink(transaction)
          let references = ReferenceSink(sink)
          for location in commit.groups {
            if location.kind == .attributes {
              do {
                let group = try Self.read(location, commit, readers, buffer)
                if taking == .referencesOnly {
                  try reader.feed(group, to: references)
                } else {
                  try reader.feed(group, to: sink)
                }
              } catch {
                guard !(error is CatalogError) else { throw error }
                unreadable += 1
              }
            }
            try transaction.location(location)
          }
          skipped = reader.skippedCount + sink.refusedCount
        } catch {
          failure = error
          throw error
        }
      }
    } catch {
      throw failure ?? error
    }
    guard taking != .referencesOnly else { return }
    guard (!commit.isWhole && taking == .asMuchAsPossible) || skipped > 0 || unreadable > 0 else { return }
    let missing = commit.missing.reduce(UInt64(unreadable)) { $0 &+ ($1.upperBound - $1.lowerBound) &+ 1 }
    report.damaged(
      "Job \(job): commit \(commit.number) is damaged: \(missing) of its record groups and \(skipped) more of its records are"
        + " lost; where it saved a newer version of a file, an older one may take its place.")
  }

  private static func read(
    _ location: GroupLocation, _ commit: RecoveredCommit, _ readers: [UniqueIdentifier: VolumeReader],
    _ buffer: UnsafeMutableRawBufferPointer
  ) throws -> UnsafeRawBufferPointer {
    guard let reader = readers[location.volume],
      let volume = commit.volumes.first(where: { $0.identifier == location.volume })
    else { throw DeviceError(.unknownVolume(location.volume)) }
    let block = try reader.readBlock(location.volume, name: volume.name, at: location.block, into: buffer)
    guard let group = try block.group(location.group) else {
      throw DeviceError(.damagedBlock(.malformedContent, location.block), volume: volume.name)
    }
    return group.bytes
  }

  private func end(_ session: RecoveredSession, _ job: JobRecord, _ report: inout VolumeScanReport) throws {
    let number = job.description.number
    if let outcome = session.outcome, outcome.status.isPublished {
      do throws(CatalogError) { return try catalog.publish(number, outcome: outcome) } catch {
        guard error.kind == .conflict else { throw error }
        report.damaged("Job \(number) cannot be put in the order of its tree's jobs: \(error)")
      }
    }
    try catalog.endJob(
      number,
      outcome: JobOutcome(status: .incomplete, ended: job.description.created, counters: JobCounters()))
  }
}
