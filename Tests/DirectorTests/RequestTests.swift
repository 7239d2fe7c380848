import Synchronization
import Testing
import VaultCatalog
import VaultModel
import VaultProtocol
import VaultSystem

@testable import Director

/// Time that stands still.
private struct StoppedClock: VaultClock {
  func now() -> Timestamp { Timestamp(nanoseconds: 77) }
  func monotonicNanoseconds() -> UInt64 { 0 }
}

/// A console's request becomes a job, or the job that was interrupted.
@Suite struct RequestTests {
  private func request(_ level: String = "auto") throws -> RunRequest {
    try RunRequest(line("run = host=web1 name=home level=\(level) commit-seconds=5 x=y commit-bytes=6"), paths: ["/a"])
  }

  @Test func aRequestIsRead() throws {
    let request = try request("differential")
    #expect(request.tree == home && request.level == .differential && request.paths == ["/a"])
    #expect(request.storageFields.map(\.key) == ["commit-seconds", "commit-bytes"])
    #expect(try self.request().level == nil)
    #expect(request.compression == .lz4)
    #expect(
      try RunRequest(line("run = host=a level=auto compression=zstd:7"), paths: []).compression == .zstd(level: 7))
  }

  @Test(arguments: [
    "run", "run = host=a name=b", "run = name=b level=auto", "run = host=a name=b level=most",
    "run = host=a level=auto compression=zstd:20",
  ])
  func anIncompleteOneIsRefused(_ text: String) {
    #expect(throws: ControlError.self) { try RunRequest(line(text), paths: []) }
  }

  @Test func withoutANameTheTreeIsTheSortedPaths() throws {
    #expect(
      try RunRequest(line("run = host=a level=auto"), paths: ["/b", "/a"]).tree == Tree(host: "a", name: "/a\n/b"))
  }

  /// A job's paths are kept in one record: what would not fit is refused before anything is started.
  @Test func asManyPathsAsAJobKeeps() throws {
    let plain = try line("run = host=a level=auto")
    let named = try line("run = host=a name=n level=auto")
    let path = ByteString("/" + String(repeating: "x", count: 1023))
    #expect(throws: Never.self) { try RunRequest(plain, paths: Array(repeating: path, count: 255)) }
    #expect(throws: DirectorError.self) { try RunRequest(plain, paths: Array(repeating: path, count: 256)) }
    #expect(throws: Never.self) { try RunRequest(named, paths: Array(repeating: path, count: 511)) }
    #expect(throws: DirectorError.self) { try RunRequest(named, paths: Array(repeating: path, count: 512)) }
    #expect(throws: DirectorError.self) { try RunRequest(named, paths: Array(repeating: "/", count: 65_537)) }
  }

  @Test func whatIsLeftOutIsHandedOn() throws {
    let text = "run = host=a level=auto cross-file-systems=yes exclude-larger-than=9 exclude-caches=yes other=x"
    let request = try RunRequest(line(text), paths: ["/a"], patterns: ["*.o"])
    #expect(request.fileFields.map(\.key) == ["cross-file-systems", "exclude-larger-than", "exclude-caches"])
    #expect(request.patterns == ["*.o"])
    let plain = try line("run = host=a level=auto")
    let many = Array(repeating: ByteString("x"), count: 65_537)
    let long = Array(repeating: ByteString(String(repeating: "x", count: 4096)), count: 257)
    for patterns in [many, long] {
      let error = #expect(throws: DirectorError.self) { try RunRequest(plain, paths: [], patterns: patterns) }
      #expect(error?.exitStatus == .usage)
      #expect(throws: Never.self) { try RunRequest(plain, paths: [], patterns: Array(patterns.dropLast())) }
    }
  }

  @Test func theFirstJobIsFullAndTheNextIncremental() throws {
    let catalog = try emptyCatalog()
    let first = try JobStart.decide(request(), catalog: catalog, clock: StoppedClock())
    #expect(first.description.level == .full && first.attempt == 1 && first.lastCommit == 0)
    #expect(first.resume == nil && first.lastGroup == nil)
    #expect(first.description.created == Timestamp(nanoseconds: 77))
    try catalog.publish(
      first.description.number,
      outcome: JobOutcome(status: .terminated, ended: Timestamp(nanoseconds: 78), counters: JobCounters()))
    let second = try JobStart.decide(request(), catalog: catalog, clock: StoppedClock())
    #expect(second.description.level == .incremental)
    #expect(second.description.baseSequence == first.description.sequence)
  }

  @Test func anInterruptedJobGoesOn() throws {
    let catalog = try emptyCatalog()
    let first = try JobStart.decide(request(), catalog: catalog, clock: StoppedClock())
    let job = try #require(try catalog.job(number: first.description.number))
    try catalog.stage(
      ["/a", "/b"], locations: [location(1, entry: 1), location(2, entry: 1, kind: .attributes)], in: job)
    let second = try JobStart.decide(request("full"), catalog: catalog, clock: StoppedClock())
    #expect(second.description.number == first.description.number && second.attempt == 2 && second.lastCommit == 1)
    #expect(second.resume?.keptEntries == 2 && second.resume?.nextGroup == 3)
    #expect(second.lastGroup == location(2, entry: 1, kind: .attributes))
  }

  @Test func anAttemptWithoutCommitsBeginsAgain() throws {
    let catalog = try emptyCatalog()
    let first = try JobStart.decide(request(), catalog: catalog, clock: StoppedClock())
    let second = try JobStart.decide(request(), catalog: catalog, clock: StoppedClock())
    #expect(second.description.number == first.description.number && second.attempt == 2 && second.resume == nil)
  }

  @Test func aJobsLineHasEverything() throws {
    let catalog = try emptyCatalog()
    let job = try catalog.publishJob(["/a"], of: home, ended: 10)
    let line = JobLine.encode(try #require(try catalog.job(number: job.description.number)))
    #expect(line.verb == "job" && line.words == ["1"])
    #expect(try line.identifier("session") == session(1))
    #expect(line["status"] == "T" && line["ended"] == "10" && line["level"] == "full" && line["name"] == "home")
    #expect(try JobCounters(line) == JobCounters())
    #expect(JobLine.encode(job)["ended"] == nil, "a job that goes on has not ended")
  }
}

/// A wish to stop reaches everybody once.
@Suite struct CancelSignalTests {
  @Test func listenersHearOfItOnce() {
    let signal = CancelSignal()
    let heard = Mutex(0)
    signal.whenSet { heard.withLock { $0 += 1 } }
    signal.whenSet { heard.withLock { $0 += 10 } }
    #expect(!signal.isSet && heard.withLock { $0 } == 0)
    signal.set()
    signal.set()
    #expect(signal.isSet && heard.withLock { $0 } == 11)
    signal.whenSet { heard.withLock { $0 += 100 } }
    #expect(heard.withLock { $0 } == 111, "who comes late is told at once")
  }
}

extension JobStart {
  /// What a request becomes, as its first attempt.
  fileprivate static func decide(
    _ request: RunRequest, catalog: any CatalogStore, clock: any VaultClock
  ) throws -> JobStart {
    try next(attemptOf: try job(request, catalog: catalog, clock: clock), catalog: catalog)
  }
}
