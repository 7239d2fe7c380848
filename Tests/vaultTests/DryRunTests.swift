import Glibc
import Console
import Synchronization
import Testing
import VaultModel
import VaultSystem
import vault

/// `vault local backup --dry-run`, and the options that leave out.
@Suite struct DryRunTests {
  private static func answering(problems: UInt64 = 0, continuing job: JobNumber? = nil) -> FakeRepository {
    var estimate = BackupEstimate()
    estimate.entriesSeen = 79_013
    estimate.regularFilesSeen = 70_000
    estimate.bytesSeen = 1_300_000_000
    estimate.new = 2
    estimate.changed = 1
    estimate.deleted = 1
    estimate.unchanged = 79_010
    estimate.excluded = 5
    estimate.bytesToRead = 1_234_567
    estimate.problems = problems
    let problem = FileProblem(directory: DirectoryKey(path: "/srv"), name: "x", phase: .examine, errorNumber: EIO)
    var kinds = ProblemTally<FileTrouble>()
    for _ in 0..<problems { kinds.add(FileTrouble(problem), problem.path) }
    let report = EstimateReport(
      level: .incremental, continuedJob: job, estimate: estimate, problems: problems == 0 ? [] : [problem],
      problemKinds: kinds)
    var repository = FakeRepository()
    repository.estimate = { _ in report }
    repository.changes = [
      PlannedChange(.new, "/srv/a\u{1b}"), PlannedChange(.changed, ByteString([0x2f, 0xff])),
      PlannedChange(.deleted, "/z"),
    ]
    return repository
  }

  @Test func saysWhatWouldBeDone() async {
    let fixture = CommandFixture(Self.answering())
    #expect(await fixture.run("local", "backup", "/", "--to", "/r", "--dry-run") == .done)
    #expect(
      fixture.output == """
        A dry run: nothing was written. The backup would be incremental.
        79,013 entries seen, 70,000 files of 1.3 GB: 2 new, 1 changed, 1 deleted, 79,010 unchanged, 5 excluded.
        1.2 MB to read; found in 0.4 s.

        """)
    #expect(fixture.openings.first?.access == .unchanged && fixture.talk.isEmpty)
  }

  @Test func namesEveryEntryWhenAsked() async {
    let fixture = CommandFixture(Self.answering(continuing: 7), showsProgress: true)
    #expect(await fixture.run("local", "backup", "/", "--to", "/r", "--dry-run", "-v") == .done)
    #expect(fixture.output.hasPrefix("new /srv/a\\x1b\nchanged /\\xff\ndeleted /z\nA dry run"))
    #expect(fixture.output.contains("The backup would go on with job 7.\n") && fixture.talk.isEmpty)
  }

  @Test func tellsProblems() async {
    let fixture = CommandFixture(Self.answering(problems: 3))
    #expect(await fixture.run("local", "backup", "/", "--to", "/r", "--dry-run", "--quiet") == .doneWithProblems)
    #expect(
      fixture.output.isEmpty
        && fixture.talk == "vault: /srv/x: could not be examined: Input/output error\nvault: … and 2 problems more.\n")
  }

  @Test func reportsAsJSON() async {
    let report = """
      "dryRun":true,"level":"incremental","continuesJob":null,"entriesSeen":79013,"regularFilesSeen":70000,\
      "bytesSeen":1300000000,"new":2,"changed":1,"deleted":1,"unchanged":79010,"excluded":5,"bytesToRead":1234567,\
      "problems":[],"problemCount":0,"problemKinds":[],"durationSeconds":0.400}

      """
    let plain = CommandFixture(Self.answering())
    #expect(await plain.run("local", "backup", "/", "--to", "/r", "--dry-run", "--json") == .done)
    #expect(plain.output == "{" + report)
    let verbose = CommandFixture(Self.answering())
    #expect(await verbose.run("local", "backup", "/", "--to", "/r", "--dry-run", "--json", "--verbose") == .done)
    #expect(
      verbose.output == """
        {"changes":[
        {"change":"new","path":"/srv/a\\u001b"},
        {"change":"changed","path":"/\\\\xff","pathBytes":"L/8="},
        {"change":"deleted","path":"/z"}],
        """ + report)
    let lines = CommandFixture(Self.answering())
    #expect(await lines.run("local", "backup", "/", "--to", "/r", "--dry-run", "--json-progress", "-v") == .done)
    #expect(
      lines.output == """
        {"type":"change","change":"new","path":"/srv/a\\u001b"}
        {"type":"change","change":"changed","path":"/\\\\xff","pathBytes":"L/8="}
        {"type":"change","change":"deleted","path":"/z"}
        {"type":"report",
        """ + report)
    var nothing = Self.answering()
    nothing.changes = []
    let empty = CommandFixture(nothing)
    #expect(await empty.run("local", "backup", "/", "--to", "/r", "--dry-run", "--json", "--verbose") == .done)
    #expect(empty.output == "{\"changes\":[]," + report)
  }

  @Test func endsWhenNobodyReadsOn() async {
    var repository = Self.answering()
    repository.changes = Array(
      repeating: PlannedChange(.new, ByteString("/" + String(repeating: "x", count: 1000))), count: 500)
    let fixture = CommandFixture(repository, outputErrorNumber: EPIPE)
    #expect(await fixture.run("local", "backup", "/", "--to", "/r", "--dry-run", "-v") == .done)
    #expect(!fixture.output.contains("A dry run"))
  }

  @Test(arguments: [["-v"], ["--dry-run", "-v", "--quiet"], ["--exclude", "["], ["--exclude-larger-than", "much"]])
  func otherUsesAreRefused(_ options: [String]) async {
    let fixture = CommandFixture(Self.answering())
    let words: [ByteString] = ["local", "backup", "/", "--to", "/r"]
    #expect(await fixture.run(words + options.map { ByteString($0) }) == .usage)
    #expect(fixture.openings.isEmpty && !fixture.talk.isEmpty)
  }

  @Test func passesOnWhatIsLeftOut() async throws {
    var template = Array("/tmp/vault-exclude-XXXXXX".utf8CString)
    let number = mkstemp(&template)
    try #require(number >= 0)
    let file = Descriptor(owning: number)
    let path = ByteString(template.dropLast().map { UInt8(bitPattern: $0) })
    defer { unlink(template) }
    try Array("# comment\n*.o\n\n!/keep \n".utf8).withUnsafeBytes { try file.writeAll($0) }

    let requests = Mutex<[BackupRequest]>([])
    var repository = FakeRepository()
    repository.backup = { request in
      requests.withLock { $0.append(request) }
      return BackupReport(
        job: .sample(), keptEntries: 0, keptBytes: 0, excluded: 1_000, problems: [], problemKinds: ProblemTally())
    }
    let fixture = CommandFixture(repository)
    var words: [ByteString] = ["local", "backup", "/", "--to", "/r", "--exclude", "a ", "--exclude-from", path]
    words += ["--exclude", ByteString([0x23, 0xff]), "--exclude-caches", "--exclude-larger-than", "1K"]
    #expect(await fixture.run(words + ["--cross-file-systems"]) == .done)
    var expected = ExclusionRequest()
    expected.patterns = ["*.o", "!/keep", "a ", ByteString([0x23, 0xff])]
    expected.leavesOutCaches = true
    expected.largestFile = 1024
    expected.crossesFileSystems = true
    #expect(requests.withLock { $0.first?.exclusions } == expected)
    #expect(fixture.output.contains("78,997 unchanged, 1,000 excluded.\n"))

    try Array("\n[x\n".utf8).withUnsafeBytes { try file.writeAll($0) }
    let wrong = CommandFixture(repository)
    #expect(await wrong.run("local", "backup", "/", "--to", "/r", "--exclude-from", path.text ?? "") == .usage)
    #expect(wrong.talk.hasPrefix("vault: \(path):6: The exclusion pattern '[x' ") && wrong.openings.isEmpty)
    let missing = CommandFixture(repository)
    #expect(await missing.run("local", "backup", "/", "--to", "/r", "--exclude-from", "/no/such") == .usage)
    #expect(
      missing.talk == "vault: --exclude-from /no/such: cannot be read: No such file or directory. Nothing was saved.\n")
  }
}
