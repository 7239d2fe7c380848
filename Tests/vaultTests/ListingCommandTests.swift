import Glibc
import Console
import Synchronization
import Testing
import VaultModel
import vault

@Suite struct ListingCommandTests {
  @Test func listsJobsAsATable() async {
    var repository = FakeRepository()
    repository.listings = [.sample(status: .incomplete, problems: 2, ended: false), .sample()]
    let fixture = CommandFixture(repository)
    #expect(await fixture.run("local", "jobs", "--from", "/r") == .done)
    #expect(
      fixture.output == """
        Job  Level        Status      Ended                Entries  New  Changed  Deleted  Problems    Stored  Tree
          3  incremental  incomplete  -                     79,013   12        3        1         2  400.0 kB  /home/me /srv
          3  incremental  OK          2026-01-31 13:00:30   79,013   12        3        1         0  400.0 kB  /home/me /srv

        """)
    #expect(fixture.openings.first?.access == .existing)
  }

  @Test func listsJobsAsJSON() async {
    var repository = FakeRepository()
    repository.listings = [.sample(), .sample(status: .running, ended: false)]
    let fixture = CommandFixture(repository)
    #expect(await fixture.run("local", "jobs", "--from", "/r", "--json") == .done)
    let job = """
      {"job":3,"tree":{"host":"web1","name":"/home/me\\n/srv"},"level":"incremental",
      """
    let counters = """
      "entriesSeen":79013,"regularFilesSeen":70000,"bytesSeen":1300000000,"new":12,"changed":3,"changedSize":1,"changedDate":0,"changedChecksum":0,"changedAttributes":2,"deleted":1,"unchanged":78997,\
      "bytesRead":1234567,"bytesChanged":1234567,"bytesKnown":34567,"bytesSent":1200000,"bytesStored":400000,"problemCount":0}
      """
    #expect(
      fixture.output == """
        [
        \(job)"status":"T","statusText":"OK","attempt":1,"commits":2,"created":"2026-01-31T12:00:00.000000000Z",\
        "ended":"2026-01-31T12:00:30.500000000Z",\(counters),
        \(job)"status":"R","statusText":"running","attempt":1,"commits":2,"created":"2026-01-31T12:00:00.000000000Z",\
        "ended":null,\(counters)
        ]

        """)
    let empty = CommandFixture()
    #expect(await empty.run("local", "jobs", "--from", "/r", "--json") == .done)
    #expect(empty.output == "[\n]\n")
  }

  private static let entries: [EntryListing] = {
    let time = FileTime(seconds: 1_769_860_800, nanoseconds: 5)
    var digest = [UInt8](repeating: 0, count: 31)
    digest.append(0xab)
    let sealed = digest.withUnsafeBytes { Digest256(bytes: $0) }.map {
      SealedContent(size: 7, algorithm: .sha256, digest: $0)
    }
    let content: ContentReference = sealed.map { .stored(ContentIdentifier(session: .none, index: 1), $0) } ?? .none
    return [
      EntryListing(
        path: "/d", entry: Entry(name: "d", attributes: FileAttributes(type: .directory, mode: 0o1777, modified: time))),
      EntryListing(
        path: ByteString(Array("/d/".utf8) + [0xff]),
        entry: Entry(
          name: ByteString([0xff]),
          attributes: FileAttributes(type: .regular, mode: 0o4640, owner: 7, group: 8, size: 9, modified: time),
          content: content)),
      EntryListing(
        path: "/d/\u{1b}",
        entry: Entry(
          name: "\u{1b}", attributes: FileAttributes(type: .symbolicLink, mode: 0o777, size: 2, modified: time),
          linkTarget: "a\n")),
    ]
  }()

  @Test func listsEntries() async {
    var repository = FakeRepository()
    repository.entries = Self.entries
    let short = CommandFixture(repository)
    #expect(await short.run("local", "ls", "--from", "/r") == .done)
    #expect(short.output == "/d\n/d/\\xff\n/d/\\x1b\n")
    let long = CommandFixture(repository)
    #expect(await long.run("local", "ls", "-l", "--from", "/r") == .done)
    #expect(
      long.output == """
        drwxrwxrwt     0     0            0 2026-01-31 13:00:00 /d
        -rwSr-----     7     8            7 2026-01-31 13:00:00 /d/\\xff
        lrwxrwxrwx     0     0            2 2026-01-31 13:00:00 /d/\\x1b -> a\\n

        """)
  }

  @Test func listsEntriesAsJSON() async {
    var repository = FakeRepository()
    repository.entries = Self.entries
    let fixture = CommandFixture(repository)
    #expect(await fixture.run("local", "ls", "--json", "--from", "/r") == .done)
    let modified = "\"modified\":\"2026-01-31T12:00:00.000000005Z\""
    let digest = String(repeating: "0", count: 62) + "ab"
    #expect(
      fixture.output == """
        [
        {"path":"/d","type":"directory","mode":"1777","owner":0,"group":0,"size":0,\(modified)},
        {"path":"/d/\\\\xff","pathBytes":"L2Qv/w==","type":"file","mode":"4640","owner":7,"group":8,"size":7,\(modified),\
        "digest":"\(digest)"},
        {"path":"/d/\\u001b","type":"symbolicLink","mode":"0777","owner":0,"group":0,"size":2,\(modified),"linkTarget":"a\\n"}
        ]

        """)
    let empty = CommandFixture()
    #expect(await empty.run("local", "ls", "--json", "--from", "/r") == .done)
    #expect(empty.output == "[]\n")
  }

  @Test(
    arguments: [
      (["--job", "7"], .job(7)), ([], .latest),
      (["--at", "1h"], .instant(Timestamp(nanoseconds: 1_769_857_200_000_000_000))),
      // The fixture's clock is an hour ahead of Greenwich.
      (["--at", "2026-01-31 10:00:00"], .instant(Timestamp(nanoseconds: 1_769_850_000_999_999_999))),
    ] as [([String], PointInTime)])
  func passesOnThePointInTime(options: [String], expected: PointInTime) async {
    let requests = Mutex<[ListRequest]>([])
    var repository = FakeRepository()
    repository.onList = { request in requests.withLock { $0.append(request) } }
    let arguments = ["local", "ls", "--from", "r", "--name", "home", "x/../y"] + options
    #expect(await CommandFixture(repository).run(arguments.map { ByteString($0) }) == .done)
    let request = requests.withLock { $0.first }
    #expect(
      request?.at == expected && request?.paths == [PathChoice(path: "/home/me/y", pattern: "/home/me/y")]
        && request?.treeName == "home")
  }

  @Test func aReaderThatLeavesEndsTheListingQuietly() async {
    var repository = FakeRepository()
    repository.entries = Array(repeating: Self.entries[0], count: 100_000)
    let fixture = CommandFixture(repository, outputErrorNumber: EPIPE)
    #expect(await fixture.run("local", "ls", "--from", "/r") == .done)
    #expect(fixture.talk.isEmpty)
    // One buffer was written, and the rest not asked for.
    #expect(fixture.output.utf8.count < 70_000)
  }

  @Test func outputThatDoesNotFitIsTold() async {
    let fixture = CommandFixture(outputErrorNumber: ENOSPC)
    #expect(await fixture.run("local", "jobs", "--from", "/r") == .doneWithProblems)
    #expect(fixture.talk == "vault: Standard output is incomplete: No space left on device.\n")
  }
}
