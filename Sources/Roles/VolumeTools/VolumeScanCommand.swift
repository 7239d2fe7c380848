import VaultCatalog
import VaultConfiguration
import VaultDevice
import VaultModel
import VaultProtocol
import VaultSystem

/// `vault volume scan`: rebuilds a repository's catalog from volumes alone, or adds to it what they hold.
package enum VolumeScanCommand {
  /// Scans volume files, or all volumes of directories, and catalogues what they hold. Blocks its thread.
  ///
  /// Volumes stay where they are: a restore reads them from the repository's `volumes/`.
  /// - Throws: what opening the repository throws; damage goes into the report.
  package static func run(
    volumes paths: [ByteString], repository: ByteString, clock: any VaultClock = SystemClock()
  ) throws -> VolumeScanReport {
    // The lock first: another process's volumes are not to be read while it writes them.
    var lock: FileLock?
    if try RepositoryFiles(path: repository).exists { lock = try acquireLock(repository, clock) }
    let scanned = try ScannedFiles.scan(try ScannedFiles.find(paths))
    let identifier = try scanned.repository()
    let files = try RepositoryFiles.prepare(
      repository, access: .createIfMissing,
      configuration: RepositoryConfiguration(identifier: identifier, created: clock.now()))
    let configuration = try files.configuration()
    guard configuration.identifier == identifier else { throw VolumeScanError.otherRepository }
    if lock == nil { lock = try acquireLock(repository, clock) }
    let catalog = try SQLiteCatalog.open(
      path: files.catalogPath, mode: .createOrOpen, newRepository: configuration.identifier)
    var report = VolumeScanReport()
    var rebuild = CatalogRebuild(catalog: catalog, scanned: scanned, clock: clock)
    do {
      try rebuild.run(&report)
    } catch {
      // The first error is the one to tell; what was catalogued is durable.
      try? catalog.close()
      throw error
    }
    try catalog.close()
    lock?.release()
    return report
  }

  /// The same into a director's catalog.
  ///
  /// - Parameters:
  ///   - openCatalog: opens it, and gives a new one the volumes' repository.
  ///   - place: where the director finds a volume of a name.
  package static func run(
    volumes paths: [ByteString], clock: any VaultClock = SystemClock(),
    openCatalog: (UniqueIdentifier) throws -> any CatalogStore, place: @escaping (String) -> String?
  ) throws -> VolumeScanReport {
    let scanned = try ScannedFiles.scan(try ScannedFiles.find(paths))
    let identifier = try scanned.repository()
    let catalog = try openCatalog(identifier)
    var report = VolumeScanReport()
    do {
      guard catalog.repository == identifier else { throw VolumeScanError.otherRepository }
      var rebuild = CatalogRebuild(catalog: catalog, scanned: scanned, clock: clock, place: place)
      try rebuild.run(&report)
    } catch {
      // The first error is the one to tell; what was catalogued is durable.
      try? catalog.close()
      throw error
    }
    try catalog.close()
    return report
  }

  private static func acquireLock(_ repository: ByteString, _ clock: any VaultClock) throws -> FileLock {
    let path = RepositoryFiles(path: repository).lockPath
    guard let lock = try FileLock.acquire(path, command: "vault volume scan", now: clock.now()) else {
      throw VolumeScanError.readOnly(repository)
    }
    return lock
  }
}

/// Why volumes cannot be scanned into a repository.
package enum VolumeScanError: DescribedError, Hashable {
  case noVolumes
  case severalRepositories
  case unknownRepository
  case otherRepository
  case readOnly(ByteString)

  package var exitStatus: ExitStatus {
    switch self {
    case .noVolumes: .notFound
    case .unknownRepository: .damaged
    case .severalRepositories, .otherRepository, .readOnly: .usage
    }
  }

  package var description: String {
    switch self {
    case .noVolumes: "There is no readable volume among the paths given; nothing was changed."
    case .severalRepositories:
      "The volumes belong to several repositories; scan those of one at a time. Nothing was changed."
    case .unknownRepository:
      "No label among the volumes can be read, so that their repository is not known; nothing was changed."
    case .otherRepository: "The volumes belong to another repository than the catalog; nothing was changed."
    case .readOnly(let path):
      "\(path.displayText) lies on a read-only file system: its catalog cannot be rebuilt there."
    }
  }
}
