import ArgumentParser
import Glibc
import Console
import VaultModel
import VaultSystem

/// `vault local backup`
struct LocalBackup: RunnableCommand {
  static let configuration = CommandConfiguration(
    commandName: "backup", abstract: "Save files and directories to a repository.",
    discussion: """
      The repository is made when there is none. The first job of a tree is full, the next ones save what changed. An \
      interrupted job is continued.
      """)

  enum Level: String, ExpressibleByArgument, CaseIterable {
    case full
    case differential
    case incremental
    case auto

    var requested: BackupRequest.Level {
      switch self {
      case .full: .level(.full)
      case .differential: .level(.differential)
      case .incremental: .level(.incremental)
      case .auto: .automatic
      }
    }
  }

  @Argument(help: ArgumentHelp("What to save, with everything below.", valueName: "path"))
  var paths: [PathArgument]

  @Option(help: ArgumentHelp("The repository's directory.", valueName: "repo"), completion: .directory)
  var to: PathArgument

  @Option(help: "A name for what is saved; without it the paths are the name.", completion: .default)
  var name: PathArgument?

  @Option(help: "How much to compare with; auto is full the first time and incremental after.")
  var level = Level.auto

  @Option(
    help: ArgumentHelp("Bytes of a volume at most, such as 4095MiB.", valueName: "size"),
    transform: OptionText.volumeSize)
  var volumeSize: UInt64?

  @Option(
    help: ArgumentHelp("Put what is saved on stable storage this often (default: 30).", valueName: "seconds"),
    transform: OptionText.seconds)
  var commitInterval: UInt32?

  @Option(
    help: ArgumentHelp("Put what is saved on stable storage after so many bytes (default: 1GiB).", valueName: "size"),
    transform: OptionText.byteCount)
  var commitSize: UInt64?

  @Option(
    help: ArgumentHelp(
      "How to compress: lz4, none, zstd, or zstd with a level from 1 to 19 such as zstd:9 (default: lz4).",
      valueName: "algorithm"),
    completion: .list(["lz4", "zstd", "none"]), transform: OptionText.compression)
  var compression = Compression.lz4

  @OptionGroup var exclusions: ExclusionOptions

  @Flag(help: "Say what would be saved and deleted, and write nothing at all.")
  var dryRun = false

  @Flag(name: .shortAndLong, help: "With --dry-run: name every entry that is new, changed or deleted.")
  var verbose = false

  @OptionGroup var reporting: ReportOptions

  func validate() throws {
    if verbose, !dryRun { throw ValidationError("--verbose goes with --dry-run only.") }
    if verbose, reporting.quiet { throw ValidationError("--verbose and --quiet exclude each other.") }
  }

  func perform(in context: CommandContext) async throws -> ExitStatus {
    let paths = try paths.map(context.normalized)
    let exclusions = try await exclusions.request(in: context)
    guard paths.contains(where: Self.exists) else { throw CommandError.noPathExists(paths) }
    var request = request(paths)
    request.exclusions = exclusions
    return dryRun ? try await estimate(request, in: context) : try await backUp(request, in: context)
  }

  private func backUp(_ request: BackupRequest, in context: CommandContext) async throws -> ExitStatus {
    return try await context.withRepository(
      to, .createIfMissing, volumeSize: volumeSize, command: "vault local backup"
    ) { [reporting] repository in
      try await reporting.run(in: context) { progress in
        try await repository.backup(request) { progress.show($0) }
      }
    }
  }

  private func estimate(_ request: BackupRequest, in context: CommandContext) async throws -> ExitStatus {
    let form: ChangeListing.Form = reporting.jsonProgress ? .objects : reporting.json ? .array : .lines
    let listing = verbose ? ChangeListing(output: context.output, form: form) : nil
    return try await context.withRepository(to, .unchanged, command: "vault local backup --dry-run") {
      [reporting] repository in
      try await reporting.run(in: context, listing: listing) { progress in
        try await repository.estimate(
          request, progress: { progress.show($0) }, each: listing.map { listing in { try listing.add($0) } })
      }
    }
  }

  private func request(_ paths: [ByteString]) -> BackupRequest {
    var request = BackupRequest(paths: paths, name: name?.bytes, level: level.requested)
    if let commitInterval { request.commitIntervalSeconds = commitInterval }
    if let commitSize { request.commitByteCount = commitSize }
    request.compression = compression
    return request
  }

  /// Whether there is anything under that name; what cannot be told is left to the job, which names its reason.
  private static func exists(_ path: ByteString) -> Bool {
    path.withCString { name in
      var status = stat()
      return lstat(name, &status) == 0 || (errno != ENOENT && errno != ENOTDIR)
    }
  }
}
