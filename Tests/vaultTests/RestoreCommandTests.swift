import Local
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
    #expect(request?.paths == ["/a", "/home/me/b"])
    #expect(request?.target == "/home/me/t/../u")
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
        {"job":3,"entries":1012,"files":1,"bytes":1250000,"problems":[{"path":"/d/\\u001b","reason":"exists already"}],\
        "problemCount":1,"problemKinds":[{"reason":"exists already","count":1,"firstPath":"/d/\\u001b"}],\
        "durationSeconds":0.400,"bytesPerSecond":3125000}

        """)
  }
}
