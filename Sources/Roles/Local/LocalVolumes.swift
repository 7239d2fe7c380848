import Console
import StorageDaemon
import VaultCatalog
import VaultDevice
import VaultModel
import VaultSystem
import VolumeTools

/// Volumes without their repository, read by the daemons that read a repository: only the catalog is made up, from what the
/// volumes say.
package enum LocalVolumes {
  /// Runs `body` on volumes that were scanned. Nothing is written but what a restore writes.
  package static func use<Result: Sendable>(
    _ view: VolumeView, _ body: @Sendable (LocalVolumeCommands) async throws -> Result
  ) async throws -> Result {
    let device = Device(
      store: view.store,
      parameters: DeviceParameters(
        repository: view.repository, pool: "", mediaType: "", maximumVolumeSize: UInt64(UInt32.max)))
    let clock = SystemClock()
    return try await LocalRepository.run(
      view.catalog, StorageDaemon(name: "local-sd", device: device, clock: clock), clock, excluding: []
    ) { commands in
      device.open(known: try view.catalog.volumes())
      return try await body(
        LocalVolumeCommands(
          commands: commands, viewDamage: view.damage, blockDamage: view.blockDamage, leftOut: view.leftOut))
    }
  }
}

/// Which job `vault volume extract` brings back.
package enum ExtractChoice: Sendable, Hashable {
  /// The newest complete job of every tree; of a tree without one, the newest of all.
  case latest
  case job(JobNumber)
  case session(UniqueIdentifier)
}

/// What can be asked of volumes alone.
package struct LocalVolumeCommands: Sendable {
  let commands: DirectorClient
  let viewDamage: [String]
  let blockDamage: [String]
  let leftOut: [String]

  /// What is wrong with the volumes, in words.
  package var scanDamage: [String] { blockDamage + viewDamage }

  /// Checks every block, every group, and every file digest.
  package func verify(progress: @escaping @Sendable (JobProgress) -> Void) async throws -> VerifyReport {
    var report = try await commands.verify(readingData: true, progress: progress)
    report.notes.removeAll { $0.hasPrefix("Volume ") && $0.contains("is not in the catalog") }
    report.notes += leftOut
    report.damages += viewDamage.map { VerifyReport.Damage(volume: nil, blocks: 0..<0, reason: $0) }
    return report
  }

  /// The jobs that an extraction takes, oldest first.
  ///
  /// - Throws: `ExtractError.noSuchJob`.
  package func jobs(_ choice: ExtractChoice) async throws -> [JobListing] {
    let all = try await commands.jobs()
    switch choice {
    case .job(let number):
      guard let job = all.first(where: { $0.description.number == number }) else {
        throw ExtractError.noSuchJob("job \(number)")
      }
      return [job]
    case .session(let session):
      guard let job = all.first(where: { $0.description.session == session }) else {
        throw ExtractError.noSuchJob("session \(session)")
      }
      return [job]
    case .latest:
      var newest: [Tree: JobListing] = [:]
      for job in all {
        if let other = newest[job.description.tree], !job.isAfter(other) { continue }
        newest[job.description.tree] = job
      }
      guard !newest.isEmpty else { throw ExtractError.noJobs }
      return newest.values.sorted { $0.description.number < $1.description.number }
    }
  }

  /// Restores what a job left, or each path with all below it.
  package func extract(
    _ job: JobListing, paths: [PathChoice], to target: ByteString, overwrite: OverwriteChoice,
    progress: @escaping @Sendable (JobProgress) -> Void
  ) async throws -> RestoreReport {
    try await commands.restore(
      RestoreRequest(
        paths: paths, treeName: nil, at: .job(job.description.number), destination: .directory(target),
        overwrite: overwrite), output: { _ in }, progress: progress)
  }
}

extension JobListing {
  /// Whether a tree's latest state is rather this job's: a complete job comes before any other.
  fileprivate func isAfter(_ other: JobListing) -> Bool {
    guard status.isPublished == other.status.isPublished else { return status.isPublished }
    return description.sequence > other.description.sequence
  }
}

/// Why there is nothing to extract.
package enum ExtractError: DescribedError, Hashable {
  case noJobs
  case noSuchJob(String)

  package var exitStatus: ExitStatus { .notFound }
  package var description: String {
    switch self {
    case .noJobs: "No job can be read from the volumes given. 'vault volume verify' tells what is wrong with them."
    case .noSuchJob(let name): "There is no \(name) on the volumes given. 'vault volume list' lists what they hold."
    }
  }
}
