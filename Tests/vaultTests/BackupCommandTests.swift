import Glibc
import Local
import Synchronization
import Testing
import VaultModel
import vault

@Suite struct BackupCommandTests {
  private static func answering(
    _ job: JobListing = .sample(), kept: UInt64 = 0, problems: [FileProblem] = []
  ) -> FakeRepository {
    var repository = FakeRepository()
    repository.backup = { _ in BackupReport(job: job, keptEntries: kept / 1_000, keptBytes: kept, problems: problems) }
    return repository
  }

  @Test func passesOnWhatIsAskedFor() async {
    let requests = Mutex<[BackupRequest]>([])
    var repository = FakeRepository()
    repository.backup = { request in
      requests.withLock { $0.append(request) }
      return BackupReport(job: .sample(), keptEntries: 0, keptBytes: 0, problems: [])
    }
    let fixture = CommandFixture(repository)
    let name = ByteString([0x6e, 0xff])
    var arguments: [ByteString] = [
      "local", "backup", "../../usr//./bin/../", "/", "--to", "../r", "--level", "differential",
    ]
    arguments += ["--volume-size", "4M", "--commit-interval", "5", "--commit-size", "64K", "--name", name]
    #expect(await fixture.run(arguments) == .done)
    let request = requests.withLock { $0.first }
    #expect(request?.paths == ["/usr", "/"])
    #expect(request?.name == name)
    #expect(request?.level == .level(.differential))
    #expect(request?.commitIntervalSeconds == 5)
    #expect(request?.commitByteCount == 65_536)
    let opening = fixture.openings.first
    #expect(opening?.path == "/home/me/../r" && opening?.access == .createIfMissing)
    #expect(opening?.volumeSize == 4 << 20 && opening?.command == "vault local backup")
  }

  @Test func reportsInPlainWords() async {
    let fixture = CommandFixture(Self.answering())
    #expect(await fixture.run("local", "backup", "/", "--to", "/r") == .done)
    #expect(
      fixture.output
        == "Job 3 (incremental of /home/me /srv) finished OK in 0.4 s: 79,013 entries seen, 12 new, 3 changed, "
        + "1 deleted, 78,997 unchanged; 1.2 MB read, 400.0 kB stored.\n")
    #expect(fixture.talk.isEmpty)
  }

  @Test func saysWhatWasKept() async {
    let fixture = CommandFixture(Self.answering(kept: 1_100_000_000))
    #expect(await fixture.run("local", "backup", "/", "--to", "/r") == .done)
    #expect(fixture.output.hasSuffix("400.0 kB stored, kept 1.1 GB from the interrupted attempt.\n"))
  }

  private static let problems = [
    FileProblem(directory: DirectoryKey(path: "/srv"), name: "a\u{1b}[1m", phase: .open, errorNumber: EACCES),
    FileProblem(directory: DirectoryKey(path: "/nowhere"), name: "", phase: .missing, errorNumber: 0),
  ]

  @Test func namesEveryProblemWithItsReason() async {
    let fixture = CommandFixture(
      Self.answering(.sample(status: .terminatedWithWarnings, problems: 5), problems: Self.problems))
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
        "bytesSeen":1300000000,"new":12,"changed":3,"deleted":1,"unchanged":78997,"bytesRead":1234567,"bytesSent":1200000,\
        "bytesStored":400000,"keptEntries":2,"keptBytes":2000,"attempt":1,"problems":[{"path":"/\\\\xff","pathBytes":"L/8=",\
        "reason":"changed while it was read; what was read is stored"}],"problemCount":1,"durationSeconds":0.400}

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
    #expect(fixture.talk == "\r\u{1b}[?7l0.0 s, 1,234 entries, 5.6 MB seen\u{1b}[K\u{1b}[?7h\r\u{1b}[K")
    let quiet = CommandFixture(Self.answering(), showsProgress: true)
    #expect(await quiet.run("local", "backup", "/", "--to", "/r", "--quiet") == .done)
    #expect(quiet.talk.isEmpty)
  }
}
