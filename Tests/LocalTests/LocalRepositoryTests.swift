import Console
import Local
import Testing
import VaultModel
import VaultSystem

/// Director, storage daemon and file daemon in one process, over pipes, on a real directory.
@Suite(.serialized, .timeLimit(.minutes(3))) struct LocalRepositoryTests {
  private let tree: TemporaryTree

  init() throws {
    tree = try TemporaryTree()
    try tree.makeDirectory("source")
    try tree.makeDirectory("target")
  }

  private func use<Result: Sendable>(_ body: @Sendable (DirectorClient) async throws -> Result) async throws -> Result {
    try await LocalRepository.use(tree["repository"], access: .createIfMissing, command: "test", body)
  }

  private func request(commitByteCount: UInt64 = 1 << 30) -> BackupRequest {
    BackupRequest(paths: [tree["source"]], name: "work", commitByteCount: commitByteCount)
  }

  private func restore() -> RestoreRequest {
    RestoreRequest(
      paths: [], treeName: nil, at: .latest, destination: .directory(tree["target"]), overwrite: .always)
  }

  private func path(_ path: ByteString) -> PathChoice {
    PathChoice(path: path, pattern: PathPattern.escaping(path))
  }

  /// Where something of the source lies after a restore.
  private func restored(_ relative: String) -> ByteString {
    ByteString(tree["target"].bytes + tree["source/\(relative)"].bytes)
  }

  /// Files whose times cannot tell, as when they lie in the clock's future, are read again, and count as what they are.
  @Test func whatOnlySeemedToChangeIsUnchanged() async throws {
    let (tree, request) = (tree, request())
    let content = Array("young".utf8)
    for number in 0..<50 { try tree.write("source/young\(number)", content) }
    let report = try await LocalRepository.use(
      tree["repository"], access: .createIfMissing, command: "test", clock: LateClock()
    ) { commands in
      _ = try await commands.backup(request) { _ in }
      return try await commands.backup(request) { _ in }
    }
    let counters = report.job.counters
    #expect(counters.bytesRead == 50 * UInt64(content.count))
    #expect(counters.changedSize == 0 && counters.changedDate == 0 && counters.changedChecksum == 0)
    // Directories above may be changed by whoever else is at work.
    #expect(counters.unchanged > 50 && counters.changedAttributes < 10)
    #expect(counters.bytesSent == 0)
  }

  @Test func whatIsSavedIsListedAndComesBack() async throws {
    let contents: [String: [UInt8]] = [
      "empty": [], "small": Array("hello".utf8), "large": noise(3 << 20, seed: 1), "dir/inner": noise(1000, seed: 2),
    ]
    try tree.makeDirectory("source/dir")
    for (name, bytes) in contents { try tree.write("source/\(name)", bytes) }
    let (tree, request, restore) = (tree, request(), restore())
    let first = try await use { try await $0.backup(request) { _ in } }
    #expect(first.job.status == .terminated && first.job.description.level == .full)
    #expect(first.job.counters.bytesSeen == UInt64(contents.values.map(\.count).reduce(0, +)))
    #expect(first.keptBytes == 0 && first.problems.isEmpty)
    let second = try await use { try await $0.backup(request) { _ in } }
    #expect(second.job.description.level == .incremental)
    #expect(second.job.counters.bytesSent == 0 && second.job.counters.new == 0)

    let paths = try await use { commands in
      #expect(try await commands.jobs().map(\.description.number) == [1, 2])
      var paths: [ByteString] = []
      try await commands.list(ListRequest(treeName: "work", at: .job(1), paths: [path(tree["source/dir"])])) {
        paths.append($0.path)
      }
      return paths
    }
    #expect(paths == [tree["source/dir"], tree["source/dir/inner"]])

    let report = try await use { try await $0.restore(restore, output: { _ in }) { _ in } }
    #expect(report.job == 2 && report.problemCount == 0 && report.files == 4)
    for (name, bytes) in contents { #expect(try tree.read(restored(name)) == bytes, "\(name)") }
  }

  @Test func anEstimateSaysWhatTheBackupThenDoes() async throws {
    for name in ["a", "b", "c"] { try tree.write("source/\(name)", noise(1000, seed: 9)) }
    try tree.makeDirectory("source/dir")
    try tree.hardLink("source/dir/a", to: "source/a")
    let tree = tree
    var request = request()
    request.exclusions.patterns = ["c"]
    for round in 0..<3 {
      if round == 1 { request.exclusions.patterns = ["b", "/dir/a"] }
      let wanted = request
      let (estimate, changes) = try await LocalRepository.use(
        tree["repository"], access: .unchanged, command: "test"
      ) { commands in
        var changes: [PlannedChange] = []
        let report = try await commands.estimate(wanted, progress: { _ in }) { changes.append($0) }
        return (report, changes)
      }
      #expect(try await use { try await $0.jobs() }.count == round, "an estimate is no job")
      let backup = try await use { try await $0.backup(wanted) { _ in } }
      let (expected, found) = (backup.job.counters, estimate.estimate)
      #expect(estimate.level == backup.job.description.level && estimate.continuedJob == nil)
      #expect(found.new == expected.new && found.deleted == expected.deleted)
      // The directory of temporary files may have changed meanwhile.
      #expect(found.changed + found.unchanged == expected.changed + expected.unchanged)
      #expect(found.entriesSeen == expected.entriesSeen)
      #expect(found.bytesToRead == expected.bytesRead && found.bytesSeen == expected.bytesSeen)
      #expect(found.excluded == backup.excluded && found.excluded == (round == 0 ? 1 : 2))
      #expect(UInt64(changes.count) == found.new + found.changed + found.deleted)
      let deleted = changes.filter { $0.kind == .deleted }.map(\.path)
      #expect(deleted == (round == 1 ? [tree["source/b"], tree["source/dir/a"]] : []))
    }
  }

  @Test func whatIsNotThereIsNotFound() async throws {
    let (tree, restore, request) = (tree, restore(), request())
    for wanted in [
      restore,
      RestoreRequest(
        paths: [path(tree["gone"])], treeName: nil, at: .latest, destination: .directory(tree["target"])),
    ] {
      let status = await exitStatus { try await use { try await $0.restore(wanted, output: { _ in }) { _ in } } }
      #expect(status == .notFound)
      if wanted.paths.isEmpty { _ = try await use { try await $0.backup(request) { _ in } } }
    }
    for point in [PointInTime.job(9), .instant(Timestamp(nanoseconds: 0))] {
      let status = await exitStatus {
        try await use { try await $0.list(ListRequest(treeName: nil, at: point, paths: [])) { _ in } }
      }
      #expect(status == .notFound)
    }
  }

  @Test func aSecondUserIsToldWhoIsInside() async throws {
    let tree = tree
    let error = await #expect(throws: FileLockError.self) {
      try await use { _ in
        try await LocalRepository.use(tree["repository"], access: .existing, command: "second") { _ in }
      }
    }
    #expect(error?.exitStatus == .inUse)
    guard case .inUse(let holder?) = error?.kind else {
      Issue.record("the holder is not named")
      return
    }
    #expect(holder.command == "test")
    // Whoever was refused has changed nothing, and the first has let go.
    #expect(try await use { try await $0.jobs() }.isEmpty)
  }

  @Test func aCancelledBackupIsContinued() async throws {
    let fileCount = 64
    for number in 0..<fileCount { try tree.write("source/\(number)", noise(1 << 20, seed: UInt64(number))) }
    let (request, restore) = (request(commitByteCount: 1), restore())
    try await interrupt(request)

    let job = try #require(try await use { try await $0.jobs() }.first)
    #expect(job.status == .incomplete && job.attempt == 1 && job.commits > 0)

    let report = try await use { try await $0.backup(request) { _ in } }
    #expect(report.job.description.number == job.description.number)
    #expect(report.job.attempt == 2 && report.job.status == .terminated)
    #expect(report.keptBytes > 0)
    #expect(report.keptBytes + report.job.counters.bytesSent >= UInt64(fileCount) << 20)
    #expect(report.job.counters.bytesSent < UInt64(fileCount) << 20, "what was committed is not sent again")

    let restored = try await use { try await $0.restore(restore, output: { _ in }) { _ in } }
    #expect(restored.problemCount == 0 && restored.files == UInt64(fileCount))
    for number in 0..<fileCount {
      #expect(try tree.read(self.restored("\(number)")) == noise(1 << 20, seed: UInt64(number)))
    }
  }

  @Test func hardLinksSurviveAnInterruption() async throws {
    try tree.write("source/first", noise(100_000, seed: 77))
    try tree.makeDirectory("source/z")
    for number in 0..<64 { try tree.write("source/h\(number)", noise(1 << 20, seed: UInt64(number))) }
    try tree.hardLink("source/z/second", to: "source/first")
    let (request, restore) = (request(commitByteCount: 1), restore())
    try await interrupt(request)
    let report = try await use { try await $0.backup(request) { _ in } }
    #expect(report.keptEntries > 0)
    _ = try await use { try await $0.restore(restore, output: { _ in }) { _ in } }
    let (first, second) = (try tree.links(restored("first")), try tree.links(restored("z/second")))
    #expect(first.inode == second.inode && first.count == 2)
  }

  @Test func aTreeOfLongPathsIsComparedAndComesBack() async throws {
    // The paths of all directories together are longer than a frame.
    let name = String(repeating: "d", count: 200)
    var directory = try Descriptor.open(tree["source"], [.readOnly, .directory])
    for _ in 0..<200 {
      try DirectoryNames.makeDirectory(at: directory.rawValue, ByteString(name), mode: 0o755)
      directory = try Descriptor.open(at: directory.rawValue, ByteString(name), [.readOnly, .directory])
    }
    let (request, restore) = (request(), restore())
    let first = try await use { try await $0.backup(request) { _ in } }
    let second = try await use { try await $0.backup(request) { _ in } }
    // The directory of temporary files may have changed meanwhile.
    #expect(second.job.counters.unchanged + 1 >= first.job.counters.entriesSeen)
    #expect(second.job.counters.new == 0 && second.job.counters.deleted == 0)
    let report = try await use { try await $0.restore(restore, output: { _ in }) { _ in } }
    #expect(report.problemCount == 0 && report.entries >= 200)
  }

  // MARK: Interruptions

  /// Begins a backup and cancels it once several MiB are on the volume.
  private func interrupt(_ request: BackupRequest) async throws {
    let (path, volume) = (tree["repository"], tree["repository/volumes/vol-0001"])
    let backup = Task {
      try await LocalRepository.use(path, access: .createIfMissing, command: "test") {
        try await $0.backup(request) { _ in }
      }
    }
    while (try? Descriptor.open(volume, [.readOnly]).size()) ?? 0 < 6 << 20 { await Task.yield() }
    backup.cancel()
    let status = await exitStatus { try await backup.value }
    #expect(status == .interrupted)
  }

  private func exitStatus<Result>(_ body: () async throws -> Result) async -> VaultModel.ExitStatus? {
    do {
      _ = try await body()
      return nil
    } catch {
      return (error as? any DescribedError)?.exitStatus
    }
  }
}

/// A clock that is an hour late.
private struct LateClock: VaultClock {
  private let system = SystemClock()
  func now() -> Timestamp { Timestamp(nanoseconds: system.now().nanoseconds - 3_600_000_000_000) }
  func monotonicNanoseconds() -> UInt64 { system.monotonicNanoseconds() }
}
