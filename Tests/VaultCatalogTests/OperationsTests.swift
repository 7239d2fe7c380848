import Testing
import VaultCatalog
import VaultModel

/// Logs, jobs that store nothing and the lists that a console shows, on every engine.
@Suite struct OperationsTests {
  private func line(_ text: String, at time: Int64 = 1) -> LogLine {
    LogLine(time: Timestamp(nanoseconds: time), messageClass: "info", text: text)
  }

  @Test(arguments: CatalogEngine.allCases) func aLogIsNumberedFromOne(engine: CatalogEngine) throws {
    try engine.withCatalog { catalog in
      _ = try catalog.makeJob()
      try catalog.appendLog([line("a", at: 5), line("ü\n\u{1b}[31m", at: 4)], of: 1)
      try catalog.appendLog([], of: 1)
      try catalog.appendLog([line("daemon")], of: 0)
      try catalog.appendLog([line("c")], of: 1)
      let lines = try catalog.readLog(of: 1, after: 0, limit: 10)
      #expect(lines.map(\.number) == [1, 2, 3] && lines.map(\.text) == ["a", "ü\n\u{1b}[31m", "c"])
      #expect(lines.map(\.time.nanoseconds) == [5, 4, 1] && lines.allSatisfy { $0.messageClass == "info" })
      #expect(try catalog.readLog(of: 1, after: 1, limit: 1).map(\.number) == [2])
      #expect(try catalog.readLog(of: 1, after: .max, limit: 1).isEmpty)
      #expect(try catalog.readLog(of: 0, after: 0, limit: 9).map(\.text) == ["daemon"])
      #expect(throwsKind(.notFound) { try catalog.appendLog([line("x")], of: 2) })
      #expect(try catalog.readLog(of: 2, after: 0, limit: 9).isEmpty)
    }
  }

  @Test(arguments: CatalogEngine.allCases) func aLongTextIsCutOnACharacter(engine: CatalogEngine) throws {
    try engine.withCatalog { catalog in
      let flag = "🇨🇭"
      let long = String(repeating: "x", count: LogLine.textLimit - 4) + flag
      try catalog.appendLog([line(long), line("a\0b"), line(String(repeating: flag, count: 5000))], of: 0)
      let texts = try catalog.readLog(of: 0, after: 0, limit: 9).map(\.text)
      #expect(texts[0] == String(long.dropLast()))
      #expect(texts[1] == "a\u{fffd}b")
      #expect(texts[2] == String(repeating: flag, count: 1024))
    }
  }

  @Test(arguments: CatalogEngine.allCases) func aLogGoesWithItsJob(engine: CatalogEngine) throws {
    try engine.withCatalog { catalog in
      let job = try catalog.makeJob()
      try catalog.publish(job)
      try catalog.appendLog([line("a")], of: 1)
      _ = try catalog.dropJobs([1], at: Timestamp(nanoseconds: 9))
      #expect(try catalog.readLog(of: 1, after: 0, limit: 9).isEmpty)
      #expect(throwsKind(.notFound) { try catalog.appendLog([line("b")], of: 1) })
    }
  }

  @Test(arguments: CatalogEngine.allCases) func errandsShareTheNumbersOfJobs(engine: CatalogEngine) throws {
    try engine.withCatalog { catalog in
      _ = try catalog.makeJob()
      let request = NewErrand(kind: "restore", tree: tree, created: Timestamp(nanoseconds: 7), subject: 1)
      let errand = try catalog.createErrand(request)
      #expect(errand.number == 2 && errand.status == .running && errand.subject == 1 && errand.tree == tree)
      #expect(try catalog.makeJob().description.number == 3)
      let other = Tree(host: "elsewhere", name: "x")
      let second = try catalog.createErrand(
        NewErrand(kind: "verify", tree: other, created: Timestamp(nanoseconds: 8)))
      #expect(second.number == 4 && second.subject == nil)
      #expect(try catalog.retentionMarks().lastNumber == 4)
      #expect(try catalog.errands(after: 0, limit: 9) == [errand, second])
      #expect(try catalog.errands(after: 2, limit: 9) == [second] && catalog.errands(after: 0, limit: 1) == [errand])
      #expect(try catalog.errand(number: 2) == errand && catalog.errand(number: 1) == nil)
      #expect(try catalog.errand(number: .max) == nil && catalog.job(number: 2) == nil)
      try catalog.appendLog([line("restoring")], of: 2)
      #expect(try catalog.readLog(of: 2, after: 0, limit: 9).map(\.text) == ["restoring"])
      #expect(try catalog.trees().map(\.tree) == [tree], "a tree without jobs is not listed")
    }
  }

  @Test(arguments: CatalogEngine.allCases) func errandsEndOnce(engine: CatalogEngine) throws {
    try engine.withCatalog { catalog in
      for kind in ["restore", "verify", "restore"] {
        _ = try catalog.createErrand(NewErrand(kind: kind, tree: tree, created: Timestamp(nanoseconds: 1)))
      }
      let end = Timestamp(nanoseconds: 50)
      func finish(_ number: JobNumber, _ status: JobStatus) throws {
        try catalog.endErrand(number, status: status, ended: end, files: 3, bytes: 1 << 40, problems: 2)
      }
      try finish(1, .terminatedWithWarnings)
      let ended = try catalog.errand(number: 1)
      #expect(ended?.status == .terminatedWithWarnings && ended?.ended == end && ended?.files == 3)
      #expect(ended?.bytes == 1 << 40 && ended?.problems == 2)
      #expect(throwsKind(.conflict) { try finish(1, .failed) })
      #expect(throwsKind(.conflict) { try finish(2, .incomplete) })
      #expect(throwsKind(.notFound) { try finish(9, .terminated) })
      #expect(
        throwsKind(.outOfRange) {
          try catalog.endErrand(2, status: .failed, ended: end, files: .max, bytes: 0, problems: 0)
        })
      try catalog.abandonErrands(at: Timestamp(nanoseconds: 60))
      #expect(
        try catalog.errands(after: 0, limit: 9).map(\.status) == [.terminatedWithWarnings, .failed, .failed])
      #expect(try catalog.errand(number: 3)?.ended == Timestamp(nanoseconds: 60))
      #expect(try catalog.errand(number: 1) == ended)
    }
  }

  @Test(arguments: CatalogEngine.allCases) func recentJobsComeNewestFirst(engine: CatalogEngine) throws {
    try engine.withCatalog { catalog in
      let other = Tree(host: "b", name: "y")
      for number in 1...6 { _ = try catalog.makeJob(of: number % 3 == 0 ? other : tree) }
      func numbers(_ tree: Tree?, _ before: JobNumber?, _ limit: Int) throws -> [JobNumber] {
        try catalog.recentJobs(of: tree, before: before, limit: limit).map(\.description.number)
      }
      #expect(try numbers(nil, nil, 4) == [6, 5, 4, 3] && numbers(nil, 3, 9) == [2, 1])
      #expect(try numbers(other, nil, 9) == [6, 3] && numbers(tree, 4, 1) == [2])
      #expect(try numbers(Tree(host: "no", name: ""), nil, 9).isEmpty && numbers(nil, nil, 0).isEmpty)
      _ = try catalog.dropJobs([5], at: Timestamp(nanoseconds: 9))
      #expect(try numbers(nil, .max, 2) == [6, 4])
    }
  }

  @Test(arguments: CatalogEngine.allCases) func aJobHasItsConfiguredName(engine: CatalogEngine) throws {
    try engine.withCatalog { catalog in
      let named = try catalog.createJob(
        NewJob(
          tree: tree, level: .full, baseSequence: 0, session: session(1), paths: [],
          created: Timestamp(nanoseconds: 0), jobName: "nightly; DROP TABLE job --'\""))
      #expect(named.jobName == "nightly; DROP TABLE job --'\"")
      #expect(try catalog.job(number: 1) == named && catalog.makeJob().jobName == nil)
    }
  }

  @Test(arguments: CatalogEngine.allCases) func waitingJobsMayBeContinued(engine: CatalogEngine) throws {
    try engine.withCatalog { catalog in
      let other = Tree(host: "b", name: "y")
      let jobs = try [tree, tree, tree, other, other].map { try catalog.makeJob(of: $0) }
      func waiting() throws -> [JobNumber] { try catalog.waitingJobs().map(\.description.number) }
      #expect(try waiting() == [1, 2, 3, 4, 5])
      try catalog.publish(jobs[1])
      #expect(try waiting() == [3, 4, 5], "a newer job of the tree is published")
      try catalog.endJob(3, outcome: catalog.outcome(.incomplete, 1))
      try catalog.endJob(4, outcome: catalog.outcome(.failed, 1))
      try catalog.startAttempt(1, of: 5)
      #expect(try waiting() == [3, 5])
      _ = try catalog.dropJobs([5], at: Timestamp(nanoseconds: 9))
      #expect(try waiting() == [3])
    }
  }
}
