import Glibc
import Console
import Synchronization
import Testing
import VaultModel
import vault

@Suite struct BackupCommandTests {
  private static func answering(
    _ job: JobListing = .sample(), kept: UInt64 = 0, problems: [FileProblem] = []
  ) -> FakeRepository {
    var repository = FakeRepository()
    var kinds = ProblemTally<FileTrouble>()
    for problem in problems { kinds.add(FileTrouble(problem), problem.path) }
    repository.backup = { [kinds] _ in
      BackupReport(
        job: job, keptEntries: kept / 1_000, keptBytes: kept, problems: Array(problems.prefix(2)), problemKinds: kinds)
    }
    return repository
  }

  @Test func passesOnWhatIsAskedFor() async {
    let requests = Mutex<[BackupRequest]>([])
    var repository = FakeRepository()
    repository.backup = { request in
      requests.withLock { $0.append(request) }
      return BackupReport(
        job: .sample(), keptEntries: 0, keptBytes: 0, problems: [], problemKinds: ProblemTally())
    }
    let fixture = CommandFixture(repository)
    let name = ByteString([0x6e, 0xff])
    var arguments: [ByteString] = [
      "local", "backup", "../../usr//./bin/../", "/", "--to", "../r", "--level", "differential",
    ]
    arguments += ["--volume-size", "4M", "--commit-interval", "5", "--commit-size", "64K", "--name", name]
    arguments += ["--compression", "zstd:7"]
    #expect(await fixture.run(arguments) == .done)
    let request = requests.withLock { $0.first }
    #expect(request?.paths == ["/usr", "/"])
    #expect(request?.name == name)
    #expect(request?.level == .level(.differential))
    #expect(request?.commitIntervalSeconds == 5)
    #expect(request?.commitByteCount == 65_536)
    #expect(request?.compression == .zstd(level: 7))
    let opening = fixture.openings.first
    #expect(opening?.path == "/home/me/../r" && opening?.access == .createIfMissing)
    #expect(opening?.volumeSize == 4 << 20 && opening?.command == "vault local backup")
  }

  @Test func reportsInPlainWords() async {
    let fixture = CommandFixture(Self.answering())
    #expect(await fixture.run("local", "backup", "/", "--to", "/r") == .done)
    #expect(
      fixture.output
        == """
        Job 3, incremental of /home/me /srv, done.
        79,013 entries seen, 70,000 files of 1.3 GB: 12 new, 3 changed (1 by size, 2 in attributes only), 1 deleted, \
        78,997 unchanged.
        Read 1.2 MB, stored 400.0 kB (3.0 : 1), in 0.4 s (3.1 MB/s). Of 1.2 MB in new and changed files 34.6 kB were known.

        """)
    #expect(fixture.talk.isEmpty)
  }

  @Test func saysWhatWasKept() async {
    let fixture = CommandFixture(Self.answering(kept: 1_100_000_000))
    #expect(await fixture.run("local", "backup", "/", "--to", "/r") == .done)
    #expect(fixture.output.hasSuffix("\nKept 1.1 GB of the interrupted attempt.\n"))
  }

  private static let problems = [
    FileProblem(directory: DirectoryKey(path: "/srv"), name: "a\u{1b}[1m", phase: .open, errorNumber: EACCES),
    FileProblem(directory: DirectoryKey(path: "/nowhere"), name: "", phase: .missing, errorNumber: 0),
  ]

  /// Further ones, one of the first's kind.
  private static let more = [
    FileProblem(directory: .root, name: "b", phase: .open, errorNumber: EACCES),
    FileProblem(directory: .root, name: "c", phase: .open, errorNumber: EIO),
    FileProblem(directory: .root, name: "d", phase: .missing, errorNumber: 0),
  ]

  @Test func countsProblemsByKind() async {
    let fixture = CommandFixture(
      Self.answering(.sample(status: .terminatedWithWarnings, problems: 5), problems: Self.problems + Self.more))
    #expect(await fixture.run("local", "backup", "/", "--to", "/r") == .doneWithProblems)
    #expect(fixture.output.hasPrefix("Job 3, incremental of /home/me /srv, done with 5 problems.\n"))
    #expect(
      fixture.output.hasSuffix(
        """
        known.
        2 problems: could not be opened: Permission denied (first: /srv/a\\x1b[1m)
        2 problems: does not exist (first: /nowhere)
        1 problem: could not be opened: Input/output error (/c)

        """))
  }

  @Test func namesTheFirstProblemsWithTheirReasons() async {
    let fixture = CommandFixture(
      Self.answering(.sample(status: .terminatedWithWarnings, problems: 5), problems: Self.problems + Self.more))
    #expect(await fixture.run("local", "backup", "/", "--to", "/r", "--quiet") == .doneWithProblems)
    #expect(fixture.output.isEmpty)
    #expect(
      fixture.talk == """
        vault: /srv/a\\x1b[1m: could not be opened: Permission denied
        vault: /nowhere: does not exist
        vault: … and 3 problems more.

        """)
  }

  @Test func reportsAsJSON() async {
    let odd = FileProblem(directory: .root, name: ByteString([0xff]), phase: .changed, errorNumber: 0)
    let fixture = CommandFixture(
      Self.answering(.sample(status: .terminatedWithWarnings, problems: 1), kept: 2_000, problems: [odd]))
    #expect(await fixture.run("local", "backup", "/", "--to", "/r", "--json") == .doneWithProblems)
    #expect(
      fixture.output == """
        {"job":3,"level":"incremental","status":"W","statusText":"OK, with warnings","entriesSeen":79013,"regularFilesSeen":70000,\
        "bytesSeen":1300000000,"new":12,"changed":3,"changedSize":1,"changedDate":0,"changedChecksum":0,\
        "changedAttributes":2,"deleted":1,"unchanged":78997,"bytesRead":1234567,"bytesChanged":1234567,"bytesKnown":34567,\
        "bytesSent":1200000,"bytesStored":400000,"compressionRatio":3.000,"excluded":0,"keptEntries":2,"keptBytes":2000,"attempt":1,"problems":[{"path":"/\\\\xff","pathBytes":"L/8=",\
        "reason":"changed while it was read; what was read is stored"}],"problemCount":1,"problemKinds":[\
        {"reason":"changed while it was read; what was read is stored","count":1,"firstPath":"/\\\\xff","firstPathBytes":"L/8="}],\
        "durationSeconds":0.400,"bytesPerSecond":3086417}

        """)
    #expect(fixture.talk.isEmpty)
  }

  @Test(
    arguments: [
      (.terminated, 0, .done), (.terminated, 1, .doneWithProblems), (.terminatedWithWarnings, 0, .doneWithProblems),
      (.failed, 0, .jobFailed), (.canceled, 0, .jobFailed), (.incomplete, 0, .jobFailed),
    ] as [(JobStatus, UInt64, VaultModel.ExitStatus)])
  func endsWithTheJobsStatus(status: JobStatus, problems: UInt64, expected: VaultModel.ExitStatus) async {
    let fixture = CommandFixture(Self.answering(.sample(status: status, problems: problems)))
    #expect(await fixture.run("local", "backup", "/", "--to", "/r") == expected)
  }

  @Test func startsNothingWhenNoPathExists() async {
    let fixture = CommandFixture(Self.answering())
    #expect(await fixture.run("local", "backup", "/no/such", "/etc/hostname/x", "--to", "/r") == .notFound)
    #expect(fixture.talk == "vault: None of these exists, so nothing was saved: /no/such, /etc/hostname/x.\n")
    #expect(await fixture.run("local", "backup", "/no/such", "--to", "/r") == .notFound)
    #expect(fixture.openings.isEmpty)
    #expect(await fixture.run("local", "backup", "/no/such", "/", "--to", "/r") == .done)
  }

  @Test func tellsErrorsAndRecovery() async {
    var repository = FakeRepository(recoveryNotes: ["Volume vol-0001: cut 3 blocks\nof nobody\u{7}."])
    repository.backup = { _ in throw Refusal(exitStatus: .inUse, description: "In use.") }
    let fixture = CommandFixture(repository)
    #expect(await fixture.run("local", "backup", "/", "--to", "/r") == .inUse)
    #expect(fixture.talk == "vault: Volume vol-0001: cut 3 blocks\nvault: of nobody\\x07.\nvault: In use.\n")
    repository.backup = { _ in throw CancellationError() }
    #expect(await CommandFixture(repository).run("local", "backup", "/", "--to", "/r") == .interrupted)
  }

  @Test func anInterruptedCommandEndsAsThatWhateverBroke() async {
    var repository = FakeRepository()
    repository.backup = { _ in throw Refusal(exitStatus: .unreachable, description: "The connection ended.") }
    let fixture = CommandFixture(repository)
    let interrupted = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      return await fixture.run("local", "backup", "/", "--to", "/r")
    }
    #expect(await interrupted.value == .interrupted)
    #expect(fixture.talk == "vault: Interrupted: The connection ended.\n")
  }

  @Test func showsProgressAndErasesIt() async {
    let fixture = CommandFixture(Self.answering(), showsProgress: true)
    #expect(await fixture.run("local", "backup", "/", "--to", "/r") == .done)
    #expect(
      fixture.talk == "\r\u{1b}[?7l0.0 s, 1,234 entries, 5.6 MB  /srv/a\\x1b[1m\u{1b}[K\u{1b}[?7h\r\u{1b}[K")
    let quiet = CommandFixture(Self.answering(), showsProgress: true)
    #expect(await quiet.run("local", "backup", "/", "--to", "/r", "--quiet") == .done)
    #expect(quiet.talk.isEmpty && quiet.output.isEmpty)
  }

  @Test func tellsProgressAsObjects() async {
    let fixture = CommandFixture(Self.answering(), showsProgress: true)
    #expect(await fixture.run("local", "backup", "/", "--to", "/r", "--json-progress") == .done)
    let lines = fixture.output.split(separator: "\n")
    #expect(lines.count == 2 && fixture.talk.isEmpty)
    #expect(
      lines.first == """
        {"type":"progress","elapsedSeconds":0.200,"entries":1234,"bytes":5600000,"bytesRead":0,"bytesSent":0,\
        "bytesPerSecond":0,"problemCount":0,"path":"/srv/a\\u001b[1m"}
        """)
    #expect(lines.last?.hasPrefix("{\"type\":\"report\",\"job\":3,") == true)
    for other in ["--json", "--quiet"] as [ByteString] {
      #expect(await fixture.run(["local", "backup", "/", "--to", "/r", "--json-progress", other]) == .usage)
    }
  }
}
