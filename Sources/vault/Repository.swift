import Console
import Local
import VaultModel

/// What commands ask of an open repository: `DirectorClient`, or a test's own.
package protocol RepositoryCommands: Sendable {
  /// What recovery found when the repository was opened, in plain words; empty after a clean end.
  var recoveryNotes: [String] { get }

  func backup(_ request: BackupRequest, progress: @escaping @Sendable (JobProgress) -> Void) async throws
    -> BackupReport
  /// Says what a backup would do; `each` is told every entry that would be saved or deleted, in canonical order.
  func estimate(
    _ request: BackupRequest, progress: @escaping @Sendable (JobProgress) -> Void,
    each: ((PlannedChange) throws -> Void)?
  ) async throws -> EstimateReport
  func jobs() async throws -> [JobListing]
  /// Calls `each` for every entry in canonical order; what it throws ends the listing.
  func list(_ request: ListRequest, each: (EntryListing) throws -> Void) async throws
  /// Calls `each` for every version of a file, newest first; what it throws ends the listing, as in the two below.
  func versions(of path: ByteString, treeName: ByteString?, each: (VersionListing) throws -> Void) async throws
  func find(_ pattern: ByteString, treeName: ByteString?, each: (FoundListing) throws -> Void) async throws
  func diff(_ old: JobNumber, _ new: JobNumber, path: ByteString?, each: (DifferenceListing) throws -> Void)
    async throws
  /// Drops jobs and compacts volumes, or says what would be done.
  func drop(_ request: DropRequest, progress: @escaping @Sendable (JobProgress) -> Void) async throws -> DropReport
  /// Gives the bytes of a file that is streamed to `output`, in order.
  func restore(
    _ request: RestoreRequest, output: @escaping @Sendable ([UInt8]) async throws -> Void,
    progress: @escaping @Sendable (JobProgress) -> Void
  ) async throws -> RestoreReport
  /// Checks the catalog against the volumes; when data is read, every block, group and file digest.
  func verify(readingData: Bool, progress: @escaping @Sendable (JobProgress) -> Void) async throws -> VerifyReport
}

extension DirectorClient: RepositoryCommands {}

/// Which repository a command opens, and how.
package struct RepositoryOpening: Sendable {
  package var path: ByteString
  package var access: LocalRepository.Access
  /// Bytes of a new volume at most; nil for the repository's own limit.
  package var volumeSize: UInt64?
  /// What is told to whoever is refused the repository meanwhile.
  package var command: String
}

extension RepositoryOpening {
  /// Opens the real repository, runs `body` and closes it.
  static func use(
    _ opening: RepositoryOpening, _ body: @Sendable (any RepositoryCommands) async throws -> ExitStatus
  ) async throws -> ExitStatus {
    try await LocalRepository.use(
      opening.path, access: opening.access, volumeSize: opening.volumeSize, command: opening.command
    ) { commands in try await body(commands) }
  }
}
