import Glibc
import Console
import Synchronization
import VaultModel
import VaultScheduler
import VaultSystem
import vault

/// A world in which a command runs: a repository that answers as told, output that is kept, a clock that stands.
final class CommandFixture: Sendable {
  private struct State {
    var output: [UInt8] = []
    var talk = ""
    var openings: [RepositoryOpening] = []
  }

  private let state = Mutex(State())
  private let repository: FakeRepository
  private let outputErrorNumber: Int32
  let showsProgress: Bool

  init(_ repository: FakeRepository = FakeRepository(), outputErrorNumber: Int32 = 0, showsProgress: Bool = false) {
    self.repository = repository
    self.outputErrorNumber = outputErrorNumber
    self.showsProgress = showsProgress
  }

  var output: String { String(decoding: state.withLock { $0.output }, as: UTF8.self) }
  var talk: String { state.withLock { $0.talk } }
  var openings: [RepositoryOpening] { state.withLock { $0.openings } }

  func run(_ arguments: String...) async -> ExitStatus { await run(arguments.map { ByteString($0) }) }

  func run(_ arguments: [ByteString]) async -> ExitStatus {
    let context = CommandContext(
      output: StandardOutput { [self] bytes in
        state.withLock { $0.output += bytes }
        return outputErrorNumber
      },
      talk: Talk { [self] text in state.withLock { $0.talk += text } }, clock: StandingClock(),
      zone: LocalTimeZone { _ in 3_600 }, showsProgress: showsProgress, terminalWidth: { 80 },
      workingDirectory: { "/home/me" },
      useRepository: { [self] opening, body in
        state.withLock { $0.openings.append(opening) }
        return try await body(repository)
      }, scanVolumes: { _, _ in throw CancellationError() })
    return await Program.run(arguments, in: context)
  }
}

/// 2026-01-31T12:00:00Z, for ever; the monotonic clock goes on by 200 ms at every look: at the command's
/// begin, the progress line's, and the command's end.
final class StandingClock: VaultClock {
  private let looks = Atomic<UInt64>(0)
  func now() -> Timestamp { Timestamp(nanoseconds: 1_769_860_800_000_000_000) }
  func monotonicNanoseconds() -> UInt64 { looks.add(200_000_000, ordering: .relaxed).newValue }
}

/// What a director refused.
struct Refusal: DescribedError {
  let exitStatus: ExitStatus
  let description: String
}

struct FakeRepository: RepositoryCommands {
  var recoveryNotes: [String] = []
  var backup: @Sendable (BackupRequest) throws -> BackupReport = { _ in throw CancellationError() }
  var listings: [JobListing] = []
  var entries: [EntryListing] = []
  var onList: @Sendable (ListRequest) -> Void = { _ in }
  var verify: @Sendable (Bool) throws -> VerifyReport = { _ in throw CancellationError() }
  var versionListings: [VersionListing] = []
  var foundListings: [FoundListing] = []
  var changeListings: [DifferenceListing] = []
  var drop: @Sendable (DropRequest) throws -> DropReport = { _ in throw CancellationError() }
  /// What a restore to standard output gives, piece by piece.
  var streamed: [[UInt8]] = []
  var restore: @Sendable (RestoreRequest) throws -> RestoreReport = { _ in throw CancellationError() }

  func backup(_ request: BackupRequest, progress: @escaping @Sendable (JobProgress) -> Void) async throws
    -> BackupReport
  {
    var seen = JobProgress()
    seen.entriesSeen = 1_234
    seen.bytesDone = 5_600_000
    seen.path = "/srv/a\u{1b}[1m"
    progress(seen)
    return try backup(request)
  }

  var estimate: @Sendable (BackupRequest) throws -> EstimateReport = { _ in throw CancellationError() }
  var changes: [PlannedChange] = []

  func estimate(
    _ request: BackupRequest, progress: @escaping @Sendable (JobProgress) -> Void,
    each: ((PlannedChange) throws -> Void)?
  ) async throws -> EstimateReport {
    let report = try estimate(request)
    for change in changes { try each?(change) }
    return report
  }

  func jobs() async throws -> [JobListing] { listings }

  func list(_ request: ListRequest, each: (EntryListing) throws -> Void) async throws {
    onList(request)
    for entry in entries { try each(entry) }
  }

  func versions(of path: ByteString, treeName: ByteString?, each: (VersionListing) throws -> Void) async throws {
    for version in versionListings { try each(version) }
  }

  func find(_ pattern: ByteString, treeName: ByteString?, each: (FoundListing) throws -> Void) async throws {
    for found in foundListings { try each(found) }
  }

  func diff(_ old: JobNumber, _ new: JobNumber, path: ByteString?, each: (DifferenceListing) throws -> Void)
    async throws
  {
    for change in changeListings { try each(change) }
  }

  func drop(
    _ request: DropRequest, progress: @escaping @Sendable (JobProgress) -> Void
  ) async throws -> DropReport { try drop(request) }

  func restore(
    _ request: RestoreRequest, output: @escaping @Sendable ([UInt8]) async throws -> Void,
    progress: @escaping @Sendable (JobProgress) -> Void
  ) async throws -> RestoreReport {
    for bytes in streamed { try await output(bytes) }
    return try restore(request)
  }

  func verify(
    readingData: Bool, progress: @escaping @Sendable (JobProgress) -> Void
  ) async throws -> VerifyReport { try verify(readingData) }
}

extension JobListing {
  /// Job 3 of /home/me, as the reports' tests expect it.
  static func sample(status: JobStatus = .terminated, problems: UInt64 = 0, ended: Bool = true) -> JobListing {
    var counters = JobCounters()
    counters.entriesSeen = 79_013
    counters.regularFilesSeen = 70_000
    counters.bytesSeen = 1_300_000_000
    counters.new = 12
    counters.changedSize = 1
    counters.changedAttributes = 2
    counters.deleted = 1
    counters.unchanged = 78_997
    counters.bytesRead = 1_234_567
    counters.bytesKnown = 34_567
    counters.bytesSent = 1_200_000
    counters.bytesStored = 400_000
    counters.problems = problems
    let description = JobDescription(
      number: 3, session: UniqueIdentifier(high: 1, low: 2), tree: Tree(host: "web1", name: "/home/me\n/srv"),
      level: .incremental,
      sequence: 3, baseSequence: 2, created: Timestamp(nanoseconds: 1_769_860_800_000_000_000),
      paths: ["/home/me", "/srv"])
    return JobListing(
      description: description, status: status, attempt: 1, commits: 2,
      ended: ended ? Timestamp(nanoseconds: 1_769_860_830_500_000_000) : nil, counters: counters)
  }
}
