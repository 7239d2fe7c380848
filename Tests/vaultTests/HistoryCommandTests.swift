import Console
import Synchronization
import Testing
import VaultModel
import vault

@Suite struct HistoryCommandTests {
  private static func point(_ job: JobNumber) -> JobPoint {
    JobPoint(job: job, ended: Timestamp(nanoseconds: 1_769_860_800_000_000_000 + Int64(job) * 1_000_000_000))
  }

  private static func version(_ first: JobNumber, _ last: JobNumber, _ end: VersionListing.End) -> VersionListing {
    let seal = SealedContent(
      size: 1_500, algorithm: .sha256, digest: Digest256(words: (UInt64(first), 0, 0, 1)))
    let entry = Entry(
      name: "f",
      attributes: FileAttributes(
        type: .regular, mode: 0o644, size: 1_500, modified: FileTime(seconds: 0, nanoseconds: 5)),
      content: .stored(ContentIdentifier(session: UniqueIdentifier(high: 1, low: 1), index: 1), seal))
    return VersionListing(entry: entry, saved: point(first), first: point(first), last: point(last), end: end)
  }

  @Test func versionsAreListedWithWhatBecameOfThem() async {
    var repository = FakeRepository()
    repository.versionListings = [
      Self.version(4, 4, .none), Self.version(2, 3, .replaced(Self.point(4))),
      Self.version(1, 1, .deleted(Self.point(2))),
    ]
    let fixture = CommandFixture(repository)
    #expect(await fixture.run("local", "ls", "--from", "/r", "--versions", "/a/f") == .done)
    let zeros = String(repeating: "0", count: 47)
    #expect(
      fixture.output == """
        Job  Ended                Last    Size  Modified             Then                                   SHA-256
          4  2026-01-31 13:00:04     4  1.5 kB  1970-01-01 01:00:00  now                                    0000000000000004\(zeros)1
          2  2026-01-31 13:00:02     3  1.5 kB  1970-01-01 01:00:00  replaced in job 4                      0000000000000002\(zeros)1
          1  2026-01-31 13:00:01     1  1.5 kB  1970-01-01 01:00:00  deleted in job 2, 2026-01-31 13:00:02  0000000000000001\(zeros)1

        """)
    let json = CommandFixture(repository)
    #expect(await json.run("local", "ls", "--from", "/r", "--json", "--versions", "/a/f") == .done)
    #expect(
      json.output.contains("\"deletedJob\":2,\"deletedEnded\":\"2026-01-31T12:00:02.000000000Z\",\"path\":\"/a/f\""))
  }

  @Test(arguments: [
    ["local", "ls", "--from", "/r", "--versions"], ["local", "ls", "--from", "/r", "--versions", "--job", "1", "/a"],
    ["local", "diff", "--from", "/r", "--job", "1"], ["local", "diff", "--from", "/r", "--job", "1", "--job", "0"],
    ["local", "drop", "--from", "/r"], ["local", "drop", "--from", "/r", "--keep-daily", "0"],
    ["local", "drop", "--from", "/r", "--keep-within", "30"], ["local", "drop", "--from", "/r", "--job", "x"],
    ["local", "find", "--from", "/r"],
  ])
  func wrongUsage(_ arguments: [String]) async {
    let fixture = CommandFixture()
    #expect(await fixture.run(arguments.map { ByteString($0) }) == .usage)
    #expect(fixture.openings.isEmpty && !fixture.talk.isEmpty)
  }

  @Test func whatIsFoundIsALineEach() async {
    var repository = FakeRepository()
    let tree = Tree(host: "h", name: "t")
    repository.foundListings = [
      FoundListing(
        tree: tree, path: ByteString([0x2f, 0x61, 0x1b]), type: .regular, size: 2_000, versionCount: 3,
        first: Self.point(1), last: Self.point(7), isCurrent: true),
      FoundListing(
        tree: tree, path: "/d", type: .directory, size: 0, versionCount: 1, first: Self.point(2), last: Self.point(3),
        isCurrent: false),
    ]
    let fixture = CommandFixture(repository)
    #expect(await fixture.run("local", "find", "--from", "/r", "a*") == .done)
    #expect(fixture.output == "/a\\x1b  (2.0 kB, job 1 to now, 3 versions)\n/d  (directory, job 2 to job 3)\n")
    let nothing = CommandFixture()
    #expect(await nothing.run("local", "find", "--from", "/r", "--json", "a*") == .notFound)
    #expect(nothing.output == "[]\n")
  }

  @Test func changesAreALineEach() async {
    var repository = FakeRepository()
    repository.changeListings = [
      DifferenceListing(path: "/n", type: .regular, kind: .added, what: [], oldSize: nil, newSize: 3),
      DifferenceListing(path: "/d", type: .directory, kind: .modified, what: ["mode", "time"], oldSize: 0, newSize: 0),
      DifferenceListing(path: "/o", type: .symbolicLink, kind: .removed, what: [], oldSize: 4, newSize: nil),
    ]
    let fixture = CommandFixture(repository)
    #expect(await fixture.run("local", "diff", "--from", "/r", "--job", "1", "--job", "2") == .done)
    #expect(fixture.output == "+  /n\nM  /d/  (mode, time)\n-  /o\n")
    let json = CommandFixture(repository)
    #expect(await json.run("local", "diff", "--from", "/r", "--job", "1", "--job", "2", "--json") == .done)
    #expect(json.output.contains("\"change\":\"modified\",\"what\":[\"mode\",\"time\"],\"oldSize\":0,\"newSize\":0"))
  }

  @Test func aDropIsAskedForAndTold() async {
    let asked = Mutex<DropRequest?>(nil)
    var repository = FakeRepository()
    repository.drop = { request in
      asked.withLock { $0 = request }
      return DropReport(
        isDryRun: request.isDryRun,
        decisions: [
          DropDecision(job: .sample(), isKept: true, reason: "last 1"),
          DropDecision(job: .sample(), isKept: false, reason: "no rule keeps it"),
        ], droppedCount: 1, freedVolumes: 2, freedBytes: 5_000_000)
    }
    let fixture = CommandFixture(repository)
    #expect(
      await fixture.run(
        "local", "drop", "--from", "/r", "--keep-last", "1", "--keep-yearly", "2", "--keep-within", "30d", "--job", "3",
        "4", "--name", "n") == .done)
    let request = asked.withLock { $0 }
    #expect(request?.jobs == [3, 4])
    #expect(request?.keepLast == 1 && request?.keepYearly == 2 && request?.keepDaily == nil)
    #expect(request?.keepWithin == 2_592_000 && request?.treeName == "n" && request?.isDryRun == false)
    #expect(
      fixture.output == """
        Job  Ended                Level        Tree           Decision
          3  2026-01-31 13:00:30  incremental  /home/me /srv  kept: last 1
          3  2026-01-31 13:00:30  incremental  /home/me /srv  dropped: no rule keeps it
        Dropped 1 job; 2 volumes went with them (5.0 MB).

        """)
  }
}
