import Glibc
import Synchronization
import Testing
import VaultCatalog
import VaultModel
import VaultSystem

/// What a server that goes away costs: time, and nothing else.
@Suite struct ReconnectTests {
  /// Breaks the connection at one statement, counted from `arm`.
  private final class Faults: PostgreSQLFaults {
    private struct State {
      var isArmed = false
      var moment = FaultMoment.before
      var number = 0
      var count = 0
    }
    private let state = Mutex(State())

    func arm(_ moment: FaultMoment, _ number: Int) {
      state.withLock { $0 = State(isArmed: true, moment: moment, number: number) }
    }

    /// Whether the fault came.
    func disarm() -> Bool {
      state.withLock { state in
        defer { state.isArmed = false }
        return state.count > state.number
      }
    }

    func strikes(_ moment: FaultMoment, _ statement: String) -> Bool {
      state.withLock { state in
        guard state.isArmed, state.moment == moment else { return false }
        state.count += 1
        return state.count == state.number + 1
      }
    }
  }

  private func options(_ faults: (any PostgreSQLFaults)? = nil) -> PostgreSQLOptions {
    var options = PostgreSQLOptions()
    options.faults = faults
    // Waiting is what the tests' own condition ends, not a time.
    options.pause = { _ in usleep(1000) }
    return options
  }

  private func entries(_ count: Int, _ mode: UInt32) -> [(path: ByteString, row: Staged)] {
    (0..<count).map { index in
      (ByteString("/d\(index % 3)/f\(index)"), .whole(directoryEntry(ByteString("f\(index)"), mode: mode)))
    }
  }

  /// Every call, with its connection broken at its n-th statement, happens once.
  @Test(arguments: [FaultMoment.before, .after]) func everyCallHappensOnce(moment: FaultMoment) throws {
    let server = try TestServer.shared.get()
    let faults = Faults()
    let catalog = try server.open(schema: server.newSchema(), options: options(faults))
    var number: JobNumber = 0
    var lines: UInt64 = 0
    /// Runs `call` with a fault at each of its statements in turn, `check` after each.
    func anomalies(_ prepare: () throws -> Void, _ call: () throws -> Void, _ check: () throws -> Void) throws {
      var statement = 0
      var wasStruck = true
      while wasStruck {
        try prepare()
        faults.arm(moment, statement)
        try call()
        wasStruck = faults.disarm()
        try check()
        statement += 1
        #expect(statement < 80, "the loop does not end")
      }
      #expect(statement > 3)
    }
    try anomalies({}, { number = try catalog.makeJob().description.number }) { () throws in
      #expect(try catalog.jobs(of: nil).map(\.description.number) == Array(1...number))
    }
    var commit: UInt64 = 0
    var bodyCount = 0
    try anomalies(
      {
        commit += 1
        bodyCount = 0
      },
      {
        try catalog.stageCommit(CommitHeader(number: commit, attempt: 1, volumes: [volumeA]), of: number) { staging in
          bodyCount += 1
          let directory = try staging.directory(key(ByteString("/c\(commit)")))
          try staging.entry(index: commit * 2, directory: directory, directoryEntry("x"))
          try staging.problem(directory: directory, name: "p", phase: .open, errorNumber: 1)
          try staging.extendedAttributes(index: commit * 2, group: 1)
          try staging.ownerName(kind: .user, number: 7, name: ByteString("name \(commit)"))
          try staging.location(location(commit, entry: commit * 2, offset: 0))
        }
      },
      { () throws in
        #expect(bodyCount == 1, "what a storage daemon sent cannot be asked for twice")
        #expect(try catalog.job(number: number)?.lastCommit == commit)
        #expect(try catalog.problems(of: number, after: 0, limit: 1000).count == Int(commit))
        #expect(try catalog.locations(of: session(number), groups: 1...1000).count == Int(commit))
      })
    var staged = 0
    _ = try catalog.readStaged(of: number, after: nil, limit: 1000) { _ in staged += 1 }
    #expect(staged == Int(commit))
    let first = session(number)
    var expected: [String] = []
    try anomalies(
      {
        let job = try catalog.makeJob(.incremental, base: try catalog.trees().first?.latest?.description.sequence ?? 0)
        number = job.description.number
        expected = (expected + ["/j\(number)"]).sorted()
        try catalog.stage(job, [(ByteString("/j\(number)"), .whole(directoryEntry(ByteString("j\(number)"))))])
      },
      { try catalog.publish(number, outcome: catalog.outcome(.terminated, 1)) },
      { () throws in
        #expect(try catalog.job(number: number)?.status == .terminated)
        #expect(try catalog.paths(number) == expected)
      })
    try anomalies(
      { lines += 1 },
      {
        try catalog.appendLog(
          [LogLine(time: Timestamp(nanoseconds: 1), messageClass: "info", text: "line \(lines)")], of: 0)
      },
      { () throws in #expect(try catalog.readLog(of: 0, after: 0, limit: 1000).map(\.number) == Array(1...lines)) })
    var seen: [String] = []
    try anomalies(
      { seen = [] },
      { _ = try catalog.readState(of: tree, sequence: number, after: nil, limit: 1000) { seen.append(path(of: $0)) } },
      { #expect(seen == expected, "a row is shown once, whenever the connection broke") })
    let now = Timestamp(nanoseconds: 5)
    var needs = try catalog.volumeNeeds(ifDropping: [], at: now)
    let (known, jobs) = (needs, try catalog.jobs(of: nil))
    try anomalies({}, { needs = try catalog.volumeNeeds(ifDropping: [], at: now) }) { #expect(needs == known) }
    try anomalies({}, { needs = try catalog.volumeNeeds(ifDropping: [number], at: now) }) { () throws in
      #expect(needs.map(\.volume) == known.map(\.volume))
      #expect(try catalog.jobs(of: nil) == jobs && !catalog.isFreeing())
    }
    let moved = (1...commit).map { BlockGroup(block: UInt32($0) + 1000, group: $0) }
    try anomalies({ try catalog.beginMoving() }, { try catalog.noteMoved(moved, of: first) }, {})
    var volume = volumeA
    var new = volumeA
    try anomalies(
      {
        volume = new
        new.identifier = UniqueIdentifier(high: 79, low: new.identifier.low + 1)
      }, { try catalog.replaceVolume(volume.identifier, by: new) },
      { () throws in
        try catalog.finishFreeing()
        let locations = try catalog.locations(of: first, groups: 1...1000)
        #expect(locations.map { BlockGroup(block: $0.block.block, group: $0.group) } == moved)
        #expect(locations.allSatisfy { $0.volume == new.identifier })
        #expect(try catalog.volumes().map(\.identifier) == [new.identifier])
        #expect(try catalog.neededGroups(on: new.identifier, blocks: 0..<(.max)) == moved)
      })
    try catalog.close()
  }

  @Test(arguments: [SIGINT, SIGKILL]) func aRestartInTheMiddleOfACommitLosesNothing(signal: Int32) throws {
    let server = try TestServer()
    defer { server.stop(SIGQUIT) }
    let catalog = try server.open(schema: server.newSchema(), options: options())
    let job = try catalog.makeJob()
    try catalog.stage(job, entries(100, 1))
    try catalog.stageCommit(CommitHeader(number: 2, attempt: 1, volumes: [volumeA]), of: 1) { staging in
      let directory = try staging.directory(key("/later"))
      server.stop(signal)
      try staging.entry(index: 500, directory: directory, directoryEntry("x"))
      try server.start()
    }
    #expect(try catalog.job(number: 1)?.lastCommit == 2)
    server.stop(signal)
    try server.start()
    try catalog.publish(job)
    #expect(try catalog.state(1).count == 101)
    try catalog.close()
  }

  /// Kills the server when what a commit point adds is about to be committed, and lets others have the numbers of the
  /// transactions that it did not get to write down.
  private final class Crash: PostgreSQLFaults {
    private enum State { case idle, armed, staging }

    private let server: TestServer
    private let state = Mutex(State.idle)

    init(_ server: TestServer) { self.server = server }

    func arm() { state.withLock { $0 = .armed } }

    func strikes(_ moment: FaultMoment, _ statement: String) -> Bool {
      let isDue = state.withLock { state in
        switch state {
        case .armed where statement.contains("UPDATE job SET last_commit"): state = .staging
        case .staging where moment == .before && statement == "COMMIT":
          state = .idle
          return true
        default: break
        }
        return false
      }
      guard isDue else { return false }
      server.stop(SIGKILL)
      try? server.start()
      for _ in 0..<8 { _ = try? server.sql("SELECT pg_current_xact_id()") }
      return true
    }
  }

  @Test func aNumberThatACrashGaveToAnotherDeceivesNobody() throws {
    let server = try TestServer()
    defer { server.stop(SIGQUIT) }
    let crash = Crash(server)
    let catalog = try server.open(schema: server.newSchema(), options: options(crash))
    let job = try catalog.makeJob()
    for commit in 1...3 as ClosedRange<UInt64> {
      crash.arm()
      try catalog.stage(job, commit: commit, index: commit * 100, entries(Int(commit) * 4, 1))
    }
    #expect(try catalog.job(number: 1)?.lastCommit == 3)
    try catalog.publish(job)
    #expect(try catalog.state(1).count == 12)
    try catalog.close()
  }

  /// The server comes back while a call waits for it: the call's own waiting starts it.
  @Test func aCallWaitsForTheServer() throws {
    let server = try TestServer()
    defer { server.stop(SIGQUIT) }
    let attempts = Atomic<Int>(0)
    var options = options()
    options.pause = { _ in
      if attempts.wrappingAdd(1, ordering: .relaxed).newValue == 3 { try? server.start() }
      usleep(1000)
    }
    let catalog = try server.open(schema: server.newSchema(), options: options)
    let job = try catalog.makeJob()
    try catalog.stage(job, entries(10, 1))
    server.stop(SIGKILL)
    try catalog.publish(job)
    #expect(attempts.load(ordering: .relaxed) >= 3)
    #expect(try catalog.state(1).count == 10)
    try catalog.close()
  }

  /// A clock that only waiting moves.
  private final class PatientClock: VaultClock {
    private let nanoseconds = Atomic<UInt64>(0)
    func now() -> Timestamp { Timestamp(nanoseconds: 0) }
    func monotonicNanoseconds() -> UInt64 { nanoseconds.load(ordering: .relaxed) }
    func advance(_ duration: Duration) {
      nanoseconds.wrappingAdd(UInt64(duration / .nanoseconds(1)), ordering: .relaxed)
    }
  }

  @Test func patienceEnds() throws {
    let server = try TestServer()
    defer { server.stop(SIGQUIT) }
    let clock = PatientClock()
    var options = options()
    options.clock = clock
    options.patience = .seconds(60)
    options.pause = { clock.advance($0) }
    let catalog = try server.open(schema: server.newSchema(), options: options)
    server.stop()
    let error = #expect(throws: CatalogError.self) { _ = try catalog.makeJob() }
    #expect(error?.kind == .unreachable && error?.exitStatus == .unreachable)
    #expect(error?.description.contains("See that the server runs") == true)
    #expect(error?.description.contains(TestServer.password) == false)
    let waited = clock.monotonicNanoseconds()
    #expect(waited > 50_000_000_000 && waited <= 60_000_000_000)
    try server.start()
    #expect(try catalog.makeJob().description.number == 1)
    try catalog.close()
    #expect(throwsKind(.closed) { _ = try catalog.makeJob() })
  }

  @Test func aKilledConnectionIsReplaced() throws {
    let server = try TestServer.shared.get()
    let schema = server.newSchema()
    let catalog = try server.open(schema: schema, options: options())
    _ = try catalog.makeJob()
    // All of this catalog's connections, that which keeps the lock, too.
    let ours = """
      SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND ((classid::int8 << 32) | objid::int8) IN
        (hashtextextended('vault catalog \(schema)', 0), hashtextextended('vault work \(schema)', 0))
      """
    let count = try server.sql("SELECT count(pg_terminate_backend(pid)) FROM (\(ours)) AS x")
    #expect(count == "2")
    #expect(try catalog.makeJob().description.number == 2)
    #expect(throwsKind(.busy) { _ = try server.open(schema: schema) })
    try catalog.close()
  }
}
