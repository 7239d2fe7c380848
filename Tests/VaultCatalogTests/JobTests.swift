import Testing
import VaultCatalog
import VaultModel

/// Jobs, trees and their outcomes, on every engine.
@Suite struct JobTests {
  @Test(arguments: CatalogEngine.allCases) func jobsAreNumberedAndFound(engine: CatalogEngine) throws {
    try engine.withCatalog { catalog in
      #expect(catalog.repository == CatalogEngine.repository)
      #expect(try catalog.trees().isEmpty)
      let first = try catalog.makeJob()
      let second = try catalog.makeJob(.incremental, base: 1)
      #expect(first.description.number == 1 && first.description.sequence == 1 && first.status == .created)
      #expect(second.description.number == 2 && second.description.baseSequence == 1 && second.attempt == 0)
      #expect(try catalog.job(number: 2) == second)
      #expect(try catalog.job(session: session(1)) == first)
      #expect(try catalog.job(number: 3) == nil && catalog.job(session: session(9)) == nil)
      #expect(try catalog.job(number: .max) == nil)
      #expect(try catalog.jobs(of: nil) == [first, second] && catalog.jobs(of: tree) == [first, second])
      #expect(try catalog.jobs(of: Tree(host: "other", name: "x")).isEmpty)
      #expect(first.description.paths == ["/etc", "/home"])
    }
  }

  @Test(arguments: CatalogEngine.allCases) func aSessionHasOneJob(engine: CatalogEngine) throws {
    try engine.withCatalog { catalog in
      let job = try catalog.makeJob()
      #expect(
        throwsKind(.conflict) {
          _ = try catalog.createJob(
            NewJob(
              tree: tree, level: .full, baseSequence: 0, session: job.description.session, paths: [],
              created: Timestamp(nanoseconds: 0)))
        })
      #expect(try catalog.jobs(of: nil).count == 1)
    }
  }

  @Test(arguments: CatalogEngine.allCases) func adoptedJobsKeepWhatVolumesSay(engine: CatalogEngine) throws {
    try engine.withCatalog { catalog in
      var description = JobDescription(
        number: 40, session: session(40), tree: Tree(host: "höst", name: ByteString([0xff, 0x0a, 0x00, 0x41])),
        level: .differential, sequence: 17, baseSequence: 3, created: Timestamp(nanoseconds: -1),
        paths: [ByteString([0x2f, 0xff]), "", "/a b"])
      let adopted = try catalog.adoptJob(description)
      #expect(adopted.description == description)
      #expect(try catalog.job(number: 40) == adopted)
      #expect(try catalog.adoptJob(description) == adopted)
      #expect(try catalog.makeJob().description.number == 41)
      description.session = session(50)
      #expect(throwsKind(.conflict) { _ = try catalog.adoptJob(description) })
      description.number = 60
      #expect(throwsKind(.conflict) { _ = try catalog.adoptJob(description) })
      description.sequence = .max
      #expect(throwsKind(.outOfRange) { _ = try catalog.adoptJob(description) })
      #expect(try catalog.jobs(of: nil).count == 2)
    }
  }

  @Test(arguments: CatalogEngine.allCases) func attemptsAndOutcomes(engine: CatalogEngine) throws {
    try engine.withCatalog { catalog in
      let job = try catalog.makeJob()
      try catalog.startAttempt(2, of: 1)
      #expect(try catalog.job(number: 1)?.status == .running && catalog.job(number: 1)?.attempt == 2)
      var counters = JobCounters()
      counters.entriesSeen = 1
      counters.regularFilesSeen = 2
      counters.bytesSeen = 3
      counters.new = 4
      counters.changedSize = 51
      counters.changedDate = 52
      counters.changedChecksum = 53
      counters.changedAttributes = 54
      counters.deleted = 6
      counters.unchanged = 7
      counters.bytesRead = 8
      counters.bytesKnown = 91
      counters.bytesSent = 9
      counters.bytesStored = 10
      counters.problems = 11
      let end = Timestamp(nanoseconds: 77)
      try catalog.endJob(1, outcome: JobOutcome(status: .incomplete, ended: end, counters: counters))
      #expect(try catalog.job(number: 1)?.counters == counters)
      #expect(try catalog.job(number: 1)?.ended == end)
      try catalog.startAttempt(3, of: 1)
      #expect(try catalog.job(number: 1)?.ended == nil)
      try catalog.publish(1, outcome: JobOutcome(status: .terminatedWithWarnings, ended: end, counters: counters))
      #expect(try catalog.job(number: 1)?.status == .terminatedWithWarnings)
      #expect(throwsKind(.conflict) { try catalog.startAttempt(4, of: 1) })
      #expect(throwsKind(.conflict) { try catalog.endJob(1, outcome: catalog.outcome(.failed, 1)) })
      #expect(throwsKind(.conflict) { try catalog.publish(job) })
      #expect(throwsKind(.notFound) { try catalog.startAttempt(1, of: 9) })
      #expect(throwsKind(.notFound) { try catalog.publish(9, outcome: catalog.outcome(.terminated, 1)) })
      let next = try catalog.makeJob()
      #expect(throwsKind(.conflict) { try catalog.endJob(2, outcome: catalog.outcome(.terminated, 1)) })
      #expect(throwsKind(.conflict) { try catalog.publish(2, outcome: catalog.outcome(.failed, 1)) })
      try catalog.endJob(2, outcome: catalog.outcome(.canceled, 1))
      #expect(throwsKind(.conflict) { try catalog.publish(next) })
    }
  }

  @Test(arguments: CatalogEngine.allCases) func interruptedAndLatestGoBySequence(engine: CatalogEngine) throws {
    try engine.withCatalog { catalog in
      #expect(try catalog.interruptedJob(of: tree) == nil)
      let jobs = try (1...5).map { try catalog.makeJob($0 == 1 || $0 == 3 ? .full : .incremental) }
      #expect(try catalog.interruptedJob(of: tree)?.description.number == 5)
      try catalog.endJob(5, outcome: catalog.outcome(.failed, 1))
      #expect(try catalog.interruptedJob(of: tree)?.description.number == 4)
      // Clocks went back between the jobs: sequence decides.
      try catalog.publish(jobs[0], ended: 500)
      try catalog.publish(jobs[1], ended: 400)
      #expect(try catalog.interruptedJob(of: tree)?.description.number == 4)
      try catalog.publish(jobs[3], ended: 300)
      #expect(try catalog.interruptedJob(of: tree) == nil)
      #expect(throwsKind(.conflict) { try catalog.publish(jobs[2]) })
      func latest(_ fullOnly: Bool, _ time: Int64?) throws -> JobNumber? {
        try catalog.latestPublishedJob(of: tree, fullOnly: fullOnly, endedBy: time.map { Timestamp(nanoseconds: $0) })?
          .description.number
      }
      #expect(try latest(false, nil) == 4 && latest(true, nil) == 1)
      #expect(try latest(false, 450) == 4 && latest(false, 299) == nil && latest(true, 499) == nil)
      #expect(try latest(true, 500) == 1)
      #expect(try catalog.trees().map { $0.latest?.description.number } == [4])
    }
  }

  @Test(arguments: CatalogEngine.allCases) func treesAreListedByHostAndName(engine: CatalogEngine) throws {
    try engine.withCatalog { catalog in
      for (host, name) in [("b", "x"), ("a", "z"), ("a", "y")] as [(String, ByteString)] {
        _ = try catalog.makeJob(of: Tree(host: host, name: name))
      }
      #expect(try catalog.trees().map { $0.tree.host + "\($0.tree.name)" } == ["ay", "az", "bx"])
      #expect(try catalog.trees().allSatisfy { $0.latest == nil })
    }
  }
}
