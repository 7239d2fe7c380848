import Console
import Director
import FileDaemon
import Glibc
import StorageDaemon
import VaultCatalog
import VaultConfiguration
import VaultDevice
import VaultFileSet
import VaultModel
import VaultProtocol
import VaultScheduler
import VaultSession
import VaultSystem

/// A repository on a disk, opened by one process: director, storage daemon and file daemon composed over in-process pipes.
///
/// They talk through the messages and frames that go over TLS elsewhere; nobody calls another role's functions.
package enum LocalRepository {
  package typealias Access = RepositoryFiles.Access

  /// Opens the repository, recovers what the last process left, runs `body`, and closes everything.
  ///
  /// Every command takes the repository's lock, readers too; on a read-only file system there is none and nothing is recovered.
  /// - Parameters:
  ///   - volumeSize: bytes of a new volume at most; nil for what the repository's configuration says.
  ///   - command: what is told to whoever is refused the lock.
  /// - Throws: `RepositoryError`, `FileLockError` and the parts' own errors.
  package static func use<Result: Sendable>(
    _ path: ByteString, access: Access, volumeSize: UInt64? = nil, command: String,
    clock: any VaultClock = SystemClock(), _ body: @Sendable (DirectorClient) async throws -> Result
  ) async throws -> Result {
    if access == .unchanged { return try await preview(path, clock, body) }
    let files = try RepositoryFiles.prepare(
      path, access: access,
      configuration: RepositoryConfiguration(
        identifier: .random(), created: clock.now(),
        volumeSize: volumeSize ?? RepositoryConfiguration.defaultVolumeSize))
    let configuration = try files.configuration()
    let lock = try FileLock.acquire(files.lockPath, command: command, now: clock.now())
    let isReadOnly = lock == nil
    if try !files.hasCatalog, try files.hasVolumes { throw RepositoryError.catalogMissing(path) }
    let store = try FileVolumeStore(directory: files.volumesPath)
    let catalog = try SQLiteCatalog.open(
      path: files.catalogPath, mode: isReadOnly ? .readOnlyImmutable : .createOrOpen,
      newRepository: configuration.identifier)
    let device = Device(
      store: store,
      parameters: DeviceParameters(
        repository: configuration.identifier, pool: configuration.pool, mediaType: configuration.mediaType,
        maximumVolumeSize: volumeSize ?? configuration.volumeSize))
    let outcome: Swift.Result<Result, any Error>
    do {
      outcome = .success(
        try await run(
          catalog, StorageDaemon(name: "local-sd", device: device, clock: clock), clock,
          excluding: [try identity(of: path)]
        ) { commands in
          var commands = commands
          if isReadOnly {
            device.open(known: try catalog.volumes())
          } else {
            commands.recoveryNotes = try await commands.recover()
          }
          return try await body(commands)
        })
    } catch {
      outcome = .failure(error)
    }
    // The first error is the one to tell; what was acknowledged is durable already.
    do {
      try device.close()
      try catalog.close()
    } catch {
      if case .success = outcome { throw error }
    }
    lock?.release()
    return try outcome.get()
  }

  /// Runs `body` on a repository that nothing is written to; where there is none, on an empty catalog in its place.
  ///
  /// There is no storage daemon, and the catalog is read as it lies on the disk. A share of the lock keeps others from
  /// changing it meanwhile.
  /// - Throws: `RepositoryError.notInOrder` when the catalog cannot be read before it is recovered.
  private static func preview<Result: Sendable>(
    _ path: ByteString, _ clock: any VaultClock, _ body: @Sendable (DirectorClient) async throws -> Result
  ) async throws -> Result {
    let files = RepositoryFiles(path: path)
    let exists = try RepositoryFiles.look(path)
    let lock = exists ? try FileLock.share(files.lockPath) : nil
    let catalog = exists ? try openUnchanged(files) : try SQLiteCatalog.inMemory(newRepository: .random())
    let outcome: Swift.Result<Result, any Error>
    do {
      let excluded = (try? identity(of: path)).map { [$0] } ?? []
      outcome = .success(try await run(catalog, nil, clock, excluding: excluded, body))
    } catch {
      outcome = .failure(error)
    }
    do { try catalog.close() } catch {
      if case .success = outcome { throw error }
    }
    lock?.release()
    return try outcome.get()
  }

  private static func openUnchanged(_ files: RepositoryFiles) throws -> SQLiteCatalog {
    let repository = try files.configuration().identifier
    guard try files.hasCatalog else {
      if try files.hasVolumes { throw RepositoryError.catalogMissing(files.path) }
      // Interrupted before its first job.
      return try SQLiteCatalog.inMemory(newRepository: repository)
    }
    do {
      return try SQLiteCatalog.open(path: files.catalogPath, mode: .readOnlyImmutable, newRepository: repository)
    } catch  where error.kind == .recoveryNeeded {
      throw RepositoryError.notInOrder(files.path)
    }
  }

  /// Runs the daemons while `body` asks the director; without a storage daemon nothing can be stored or restored.
  static func run<Result: Sendable>(
    _ catalog: any CatalogStore, _ storage: StorageDaemon?, _ clock: any VaultClock,
    excluding excluded: [FileIdentity], _ body: @Sendable (DirectorClient) async throws -> Result
  ) async throws -> Result {
    let pipes = LocalPipes()
    let fileDaemon = FileDaemon(
      name: "local-fd", clock: clock, workerCount: onlineProcessorCount(),
      excludedDirectories: excluded, dialStorage: { _ in try await pipes.dialStorage(from: .fileDaemon) })
    let director = Director(
      name: "local-dir", catalog: catalog, clock: clock, zone: .system,
      diallers: Director.Diallers(
        storage: { try await pipes.dialStorage(from: .director) },
        fileDaemon: { try await pipes.dialFileDaemon() }))
    // Tasks of their own: cancelling the command must not cancel the daemons, which end its job in order.
    let daemons = Task {
      await withDiscardingTaskGroup { group in
        if let storage { group.addTask { await storage.run(pipes.storage) } }
        group.addTask { await fileDaemon.run(pipes.fileDaemon) }
        group.addTask { await director.run(pipes.director) }
      }
    }
    let outcome: Swift.Result<Result, any Error>
    do {
      let console = try await pipes.dialDirector()
      defer { console.close() }
      outcome = .success(try await body(DirectorClient(console: console, host: CurrentProcess.hostName)))
    } catch {
      outcome = .failure(error)
    }
    pipes.close()
    daemons.cancel()
    await daemons.value
    return try outcome.get()
  }

  /// The repository's own directory: it is never backed up into itself.
  private static func identity(of path: ByteString) throws -> FileIdentity {
    let directory = try Descriptor.open(path, [.readOnly, .directory])
    return FileIdentity(try FileStatus.read(of: directory.rawValue))
  }

  private static func onlineProcessorCount() -> Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }
}

/// The listeners of the three daemons in one process, and how they are dialled.
private struct LocalPipes: Sendable {
  /// Data flows over the storage daemon's pipes: room for a group or two keeps both sides busy.
  let storage = PipeListener(name: "local-sd", capacity: 2 << 20)
  let fileDaemon = PipeListener(name: "local-fd", capacity: 1 << 20)
  let director = PipeListener(name: "local-dir", capacity: 256 << 10)

  func dialStorage(from role: PeerRole) async throws -> Channel {
    try await dial(storage, as: Hello(role: role, name: "local"), expecting: .storageDaemon)
  }

  func dialFileDaemon() async throws -> Channel {
    try await dial(fileDaemon, as: Hello(role: .director, name: "local-dir"), expecting: .fileDaemon)
  }

  func dialDirector() async throws -> Channel {
    try await dial(director, as: Hello(role: .console, name: "local"), expecting: .director)
  }

  private func dial(_ listener: PipeListener, as hello: Hello, expecting role: PeerRole) async throws -> Channel {
    let channel = Channel(try listener.connect(from: hello.name))
    try await hello.dial(channel, expecting: role)
    return channel
  }

  func close() {
    director.close()
    fileDaemon.close()
    storage.close()
  }
}
