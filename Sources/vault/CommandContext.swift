import Console
import Local
import VaultModel
import VaultScheduler
import VaultSystem
import VolumeTools

/// What a command needs of the world around it.
package struct CommandContext: Sendable {
  package typealias RepositoryUse =
    @Sendable (RepositoryOpening, @Sendable (any RepositoryCommands) async throws -> ExitStatus) async throws ->
    ExitStatus
  package typealias Scan =
    @Sendable (_ volumes: [ByteString], _ repository: ByteString) async throws -> VolumeScanReport

  package var output: StandardOutput
  package var talk: Talk
  package var clock: any VaultClock
  package var zone: LocalTimeZone
  /// Whether somebody looks on: progress is shown only then.
  package var showsProgress: Bool
  /// The columns of the terminal that progress is shown on.
  package var terminalWidth: @Sendable () -> Int
  package var workingDirectory: @Sendable () throws -> ByteString
  /// Opens a repository, runs a command on it and closes it, whatever happens.
  package var useRepository: RepositoryUse
  package var scanVolumes: Scan

  package init(
    output: StandardOutput, talk: Talk, clock: any VaultClock, zone: LocalTimeZone, showsProgress: Bool,
    terminalWidth: @escaping @Sendable () -> Int, workingDirectory: @escaping @Sendable () throws -> ByteString,
    useRepository: @escaping RepositoryUse,
    scanVolumes: @escaping Scan
  ) {
    self.output = output
    self.talk = talk
    self.clock = clock
    self.zone = zone
    self.showsProgress = showsProgress
    self.terminalWidth = terminalWidth
    self.workingDirectory = workingDirectory
    self.useRepository = useRepository
    self.scanVolumes = scanVolumes
  }

  /// The real world.
  static func system() -> CommandContext {
    CommandContext(
      output: .system, talk: .system, clock: SystemClock(), zone: .system, showsProgress: ProgressLine.isWanted,
      terminalWidth: ProgressLine.terminalWidth, workingDirectory: LexicalPath.workingDirectory,
      useRepository: RepositoryOpening.use,
      scanVolumes: { try await VolumeScanning.run(volumes: $0, repository: $1) })
  }
}

extension CommandContext {
  /// Runs `body` on a repository; what recovery found is told first.
  func withRepository(
    _ path: PathArgument, _ access: LocalRepository.Access, volumeSize: UInt64? = nil, command: String,
    _ body: @escaping @Sendable (any RepositoryCommands) async throws -> ExitStatus
  ) async throws -> ExitStatus {
    let opening = RepositoryOpening(path: try absolute(path), access: access, volumeSize: volumeSize, command: command)
    return try await useRepository(opening) { repository in
      for note in repository.recoveryNotes { talk.note(note) }
      return try await body(repository)
    }
  }

  /// The path as the system's calls take it from anywhere: `..` keeps its meaning, also behind a symbolic link.
  func absolute(_ path: PathArgument) throws -> ByteString {
    try LexicalPath.absolute(path.bytes, from: workingDirectory)
  }

  /// The path as backups name it: absolute, without `.`, `..` and repeated slashes.
  func normalized(_ path: PathArgument) throws -> ByteString {
    LexicalPath.normalized(try absolute(path))
  }

  /// What was saved under a name: the path, or what the name matches as a pattern.
  func choice(_ path: PathArgument) throws -> PathChoice {
    // The working directory's name is no pattern.
    let pattern = try LexicalPath.absolute(path.bytes) { PathPattern.escaping(try workingDirectory()) }
    return PathChoice(path: try normalized(path), pattern: LexicalPath.normalized(pattern))
  }

  /// Milliseconds since a moment of the monotonic clock.
  func milliseconds(since start: UInt64) -> UInt64 {
    let now = clock.monotonicNanoseconds()
    return now < start ? 0 : (now - start) / 1_000_000
  }
}
