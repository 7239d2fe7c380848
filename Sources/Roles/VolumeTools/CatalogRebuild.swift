import VaultCatalog
import VaultDevice
import VaultModel
import VaultProtocol
import VaultSystem

/// Puts what volumes say into a catalog, session by session in the order of their jobs.
struct CatalogRebuild: ~Copyable {
  private let catalog: any CatalogStore
  private let scanned: ScannedFiles
  private var readers: [UniqueIdentifier: VolumeReader] = [:]
  private let buffer = UnsafeMutableRawBufferPointer.allocate(
    byteCount: BlockHeader.maximumBlockSizes.upperBound, alignment: 4096)

  init(catalog: any CatalogStore, scanned: ScannedFiles) {
    self.catalog = catalog
    self.scanned = scanned
  }

  deinit { buffer.deallocate() }

  mutating func run(_ report: inout VolumeScanReport) throws {
    let found = scanned.report
    for (volume, label) in zip(found.volumes, found.labels) {
      if let store = scanned.store(of: volume.name) {
        readers[volume.identifier] = VolumeReader(store: store, repository: label.record.repository)
      }
      try catalog.recordVolume(volume)
      report.volumes.append(
        VolumeScanReport.VolumeLine(
          name: volume.name, bytes: UInt64(volume.end.block) * 4096, status: volume.status.rawValue))
    }
    report.notes += found.damage.map(\.description)
    report.foundDamage = !found.damage.isEmpty
    for session in found.sessions { try add(session, &report) }
    report.jobs = try catalog.jobs(of: nil).count
  }

  private mutating func add(_ session: RecoveredSession, _ report: inout VolumeScanReport) throws {
    guard let description = session.job else {
      report.notes.append("Session \(session.session): its start is missing, so its job is not known; it was left out.")
      report.foundDamage = true
      return
    }
    let job = try catalog.adoptJob(description)
    if job.status.isPublished { return }
    try catalog.startAttempt(max(job.attempt, session.highestAttempt), of: job.description.number)
    for commit in session.commits {
      guard commit.isWhole else {
        report.notes.append(
          "Job \(job.description.number): commit \(commit.number) is damaged; what it holds was left out where it cannot be read."
        )
        continue
      }
      try stage(commit, of: job.description.number)
    }
    try end(session, job)
  }

  private mutating func stage(_ commit: RecoveredCommit, of job: JobNumber) throws {
    let header = CommitHeader(number: commit.number, attempt: commit.attempt, volumes: commit.volumes)
    var failure: (any Error)?
    let (readers, buffer) = (readers, buffer)
    do {
      try catalog.stageCommit(header, of: job) { transaction in
        do {
          var reader = AttributeGroupReader()
          for location in commit.groups {
            if location.kind == .attributes {
              try reader.feed(try Self.read(location, commit, readers, buffer), to: transaction)
            }
            try transaction.location(location)
          }
        } catch {
          failure = error
          throw error
        }
      }
    } catch {
      throw failure ?? error
    }
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

  private func end(_ session: RecoveredSession, _ job: JobRecord) throws {
    let number = job.description.number
    if let outcome = session.outcome, outcome.status.isPublished {
      try catalog.publish(number, outcome: outcome)
    } else {
      try catalog.endJob(
        number,
        outcome: JobOutcome(status: .incomplete, ended: job.description.created, counters: JobCounters()))
    }
  }
}
