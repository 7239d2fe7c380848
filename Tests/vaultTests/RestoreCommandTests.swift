import Glibc
import Console
import Synchronization
import Testing
import VaultModel
import vault

@Suite struct RestoreCommandTests {
  private static func report(problems: [RestoreProblem] = [], count: UInt64 = 0, damage: Bool = false) -> FakeRepository
  {
    var repository = FakeRepository()
    var kinds = ProblemTally<String>()
    for problem in problems { kinds.add(problem.reason, problem.path) }
    repository.restore = { [kinds] _ in
      RestoreReport(
        job: 3, entries: 1_012, files: 1, bytes: 1_250_000, problemCount: count, problems: problems,
        problemKinds: kinds, foundDamage: damage
      )
    }
    return repository
  }

  private static let problem = RestoreProblem(path: "/d/\u{1b}", reason: "exists already")

  @Test func passesOnWhatIsAskedFor() async {
    let requests = Mutex<[RestoreRequest]>([])
    var repository = FakeRepository()
    repository.restore = { request in
      requests.withLock { $0.append(request) }
      throw Refusal(exitStatus: .notFound, description: "No such path.")
    }
    let fixture = CommandFixture(repository)
    #expect(
      await fixture.run(
        "local", "restore", "/a/", "b", "--from", "r", "--to", "t/../u", "--job", "4", "--overwrite", "newer")
        == .notFound)
    let request = requests.withLock { $0.first }
    #expect(request?.paths.map(\.path) == ["/a", "/home/me/b"])
    #expect(request?.paths.map(\.pattern) == ["/a", "/home/me/b"])
    #expect(request?.destination == .directory("/home/me/t/../u") && request?.strippedComponents == 0)
    #expect(request?.at == .job(4) && request?.overwrite == .newer && request?.treeName == nil)
    #expect(fixture.talk == "vault: No such path.\n" && fixture.output.isEmpty)
  }

  @Test func reportsInPlainWords() async {
    let fixture = CommandFixture(Self.report())
    #expect(await fixture.run("local", "restore", "--from", "/r", "--to", "/t") == .done)
    #expect(fixture.output == "Restored 1,012 entries (1 file, 1.3 MB) of job 3 below /t in 0.4 s (3.1 MB/s).\n")
    let partial = CommandFixture(Self.report(problems: [Self.problem], count: 2))
    #expect(await partial.run("local", "restore", "--from", "/r", "--to", "/t") == .doneWithProblems)
    #expect(partial.output.hasSuffix(", with 2 problems.\n1 problem: exists already (/d/\\x1b)\n"))
    #expect(partial.talk == "vault: /d/\\x1b: exists already\nvault: … and 1 problem more.\n")
  }

  @Test func reportsAsJSON() async {
    let fixture = CommandFixture(Self.report(problems: [Self.problem], count: 1, damage: true))
    #expect(await fixture.run("local", "restore", "--from", "/r", "--to", "/t", "--json") == .damaged)
    #expect(
      fixture.output == """
        {"job":3,"entries":1012,"files":1,"bytes":1250000,"kept":0,\
        "problems":[{"path":"/d/\\u001b","reason":"exists already"}],\
        "problemCount":1,"problemKinds":[{"reason":"exists already","count":1,"firstPath":"/d/\\u001b"}],\
        "durationSeconds":0.400,"bytesPerSecond":3125000}

        """)
  }

  @Test func existingThingsAreKeptUnlessAskedFor() async {
    let requests = Mutex<[RestoreRequest]>([])
    var repository = FakeRepository()
    repository.restore = { request in
      requests.withLock { $0.append(request) }
      var kinds = ProblemTally<String>()
      kinds.add("is kept", "/d/a", count: 4_000)
      kinds.add("exists already", "/d/b")
      return RestoreReport(
        job: 3, entries: 0, files: 0, bytes: 0, problemCount: 4_001,
        problems: [RestoreProblem(path: "/d/a", reason: "is kept"), Self.problem], problemKinds: kinds,
        keptCount: 4_000, replacedCount: 2, foundDamage: false)
    }
    let fixture = CommandFixture(repository)
    #expect(
      await fixture.run(
        "local", "restore", "x[1]/*", "--from", "/r", "--to", "/", "--dry-run", "--strip-components", "2")
        == .doneWithProblems)
    let request = requests.withLock { $0.first }
    #expect(request?.overwrite == .never && request?.destination == .trial("/") && request?.strippedComponents == 2)
    #expect(request?.paths == [PathChoice(path: "/home/me/x[1]/*", pattern: "/home/me/x[1]/*")])
    #expect(
      fixture.output
        == "Would restore 0 entries (0 files, 0 B) of job 3 in place, replacing 2 that exist, keeping 4,000 that exist, "
        + "with 1 problem.\n4,000 problems: is kept (first: /d/a)\n1 problem: exists already (/d/b)\n")
    #expect(
      fixture.talk == """
        vault: /d/a: is kept
        vault: /d/\\x1b: exists already
        vault: … and 3,999 problems more.
        vault: --overwrite newer or --overwrite always replaces what exists.

        """)
  }

  @Test func aFileGoesToStandardOutput() async {
    var repository = Self.report()
    repository.streamed = [Array("one ".utf8), Array("two".utf8)]
    let fixture = CommandFixture(repository)
    #expect(await fixture.run("local", "restore", "/f", "--from", "/r", "--to", "-") == .done)
    #expect(fixture.output == "one two" && fixture.talk.isEmpty, "nothing but the file's bytes")
    let closed = CommandFixture(repository, outputErrorNumber: EPIPE)
    #expect(await closed.run("local", "restore", "/f", "--from", "/r", "--to", "-") == .doneWithProblems)
    #expect(closed.talk.isEmpty, "who left knows it")
    let full = CommandFixture(repository, outputErrorNumber: ENOSPC)
    #expect(await full.run("local", "restore", "/f", "--from", "/r", "--to", "-") == .doneWithProblems)
    #expect(full.talk.contains("Standard output is incomplete"))
  }

  @Test(arguments: [
    ["/f", "--json"], ["/f", "--dry-run"], ["/f", "--strip-components", "1"], ["/f", "/g"], [],
  ])
  func whatStandardOutputCannotTakeIsRefused(_ arguments: [String]) async {
    let fixture = CommandFixture(Self.report())
    let all = ["local", "restore", "--from", "/r", "--to", "-"] + arguments
    #expect(await fixture.run(all.map { ByteString($0) }) == .usage)
    #expect(fixture.openings.isEmpty && fixture.talk.contains("--to - "))
  }
}
