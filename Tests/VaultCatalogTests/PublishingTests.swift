import Testing
import VaultCatalog
import VaultModel

/// The rules of publishing, one by one, on every engine.
@Suite struct PublishingTests {
  private func stored(_ name: ByteString, _ digest: UInt64) -> Entry {
    fileEntry(name, content: .stored(ContentIdentifier(session: session(500), index: digest), sealed(digest: digest)))
  }

  /// A first job with four files in two directories.
  private func first(_ catalog: any CatalogStore) throws {
    let job = try catalog.makeJob()
    try catalog.stage(
      job,
      [
        ("/a", .whole(directoryEntry("a"))), ("/b", .whole(directoryEntry("b"))),
        ("/a/x", .whole(stored("x", 1))), ("/a/y", .whole(stored("y", 2))), ("/b/z", .whole(stored("z", 3))),
      ])
    try catalog.publish(job)
  }

  @Test(arguments: CatalogEngine.allCases) func anIncrementalReplacesAndDeletes(engine: CatalogEngine) throws {
    try engine.withCatalog { catalog in
      try first(catalog)
      let job = try catalog.makeJob(.incremental, base: 1)
      try catalog.stage(
        job,
        [
          ("/a/x", .deletion), ("/a/y", .whole(stored("y", 9))), ("/b/new", .whole(stored("new", 4))),
          ("/b/z", .unsealed(fileEntry("z"))), ("/b/never", .deletion), ("/b", .whole(directoryEntry("b"))),
        ])
      #expect(try catalog.paths(1) == ["/a", "/b", "/a/x", "/a/y", "/b/z"], "not visible before")
      try catalog.publish(job)
      #expect(try catalog.paths(2) == ["/a", "/b", "/a/y", "/b/new", "/b/z"])
      #expect(try catalog.state(2).map(\.first) == [1, 1, 2, 2, 1])
      #expect(try catalog.paths(1) == ["/a", "/b", "/a/x", "/a/y", "/b/z"])
      #expect(try catalog.state(1).map(\.first) == [1, 1, 1, 1, 1])
      #expect(try catalog.entry(of: tree, sequence: 1, at: position("/a/y")) == stored("y", 2))
      #expect(try catalog.entry(of: tree, sequence: 2, at: position("/a/y")) == stored("y", 9))
      #expect(try catalog.entry(of: tree, sequence: 2, at: position("/a/x")) == nil)
      var staged = 0
      _ = try catalog.readStaged(of: 2, after: nil, limit: 10) { _ in staged += 1 }
      #expect(staged == 0)
    }
  }

  @Test(arguments: CatalogEngine.allCases) func aFullForgetsWhatItDidNotSee(engine: CatalogEngine) throws {
    try engine.withCatalog { catalog in
      try first(catalog)
      let job = try catalog.makeJob()
      try catalog.stage(job, [("/a", .whole(directoryEntry("a"))), ("/a/x", .whole(stored("x", 8)))])
      try catalog.publish(job)
      #expect(try catalog.paths(2) == ["/a", "/a/x"])
      #expect(try catalog.state(2).map(\.first) == [1, 2], "what is equal keeps its row")
      #expect(try catalog.paths(1).count == 5)
    }
  }

  @Test(
    arguments: CatalogEngine.allCases,
    [
      (ProblemPhase.examine, "/a", ["/a", "/a/x", "/a/y"]), (.missing, "/a", ["/a", "/a/x", "/a/y"]),
      (.list, "/a", ["/a/x", "/a/y"]), (.open, "/a/x", ["/a/x"]), (.read, "/a/y", ["/a/y"]),
      (.examine, "/a/y", ["/a/y"]), (.changed, "/a/x", []), (.list, "/", ["/a", "/b", "/a/x", "/a/y", "/b/z"]),
      (.open, "/a", ["/a"]), (.list, "/a/nothing", []),
    ] as [(ProblemPhase, ByteString, [String])])
  func aFullKeepsWhatItCouldNotSee(
    engine: CatalogEngine, problem: (phase: ProblemPhase, path: ByteString, kept: [String])
  ) throws {
    try engine.withCatalog { catalog in
      try first(catalog)
      let job = try catalog.makeJob()
      try catalog.stage(job, [], problems: [(problem.path, problem.phase)])
      try catalog.publish(job)
      #expect(try catalog.paths(2) == problem.kept)
    }
  }

  @Test(arguments: CatalogEngine.allCases) func aDifferentialOverlaysItsBase(engine: CatalogEngine) throws {
    try engine.withCatalog { catalog in
      try first(catalog)
      let second = try catalog.makeJob(.incremental, base: 1)
      try catalog.stage(
        second, [("/a/x", .deletion), ("/a/y", .whole(stored("y", 20))), ("/c", .whole(stored("c", 21)))])
      try catalog.publish(second)
      let third = try catalog.makeJob(.differential, base: 1)
      try catalog.stage(third, [("/b/z", .whole(stored("z", 30)))])
      try catalog.publish(third)
      // As job 1 left it, with what the differential staged: x is back, y as it was, c gone.
      #expect(try catalog.paths(3) == ["/a", "/b", "/a/x", "/a/y", "/b/z"])
      #expect(try catalog.entry(of: tree, sequence: 3, at: position("/a/y")) == stored("y", 2))
      #expect(try catalog.entry(of: tree, sequence: 3, at: position("/b/z")) == stored("z", 30))
      #expect(try catalog.paths(2) == ["/a", "/b", "/c", "/a/y", "/b/z"])
      #expect(try catalog.paths(1).count == 5)
    }
  }

  /// What was a directory at the base, a file since, and is now what the differential could not see.
  @Test(arguments: CatalogEngine.allCases, [ProblemPhase.list, .examine, .missing])
  func nothingIsBelowAFile(engine: CatalogEngine, problem: ProblemPhase) throws {
    try engine.withCatalog { catalog in
      try first(catalog)
      let second = try catalog.makeJob(.incremental, base: 1)
      try catalog.stage(second, [("/a", .whole(stored("a", 20))), ("/a/x", .deletion), ("/a/y", .deletion)])
      try catalog.publish(second)
      let third = try catalog.makeJob(.differential, base: 1)
      try catalog.stage(third, [], problems: [("/a", problem)])
      try catalog.publish(third)
      #expect(try catalog.paths(3) == ["/a", "/b", "/b/z"])
      // That it is a directory was seen when only its names could not be read.
      let type = try catalog.entry(of: tree, sequence: 3, at: position("/a"))?.attributes.type
      #expect(type == (problem == .list ? .directory : .regular))
    }
  }

  /// What was a directory is met as a file in a directory whose listing ends early: what was below it is gone, and nothing that
  /// the base had there comes back; the names that were not listed stay.
  @Test(arguments: CatalogEngine.allCases, [(.full, 0), (.differential, 1), (.incremental, 2)] as [(JobLevel, UInt64)])
  func nothingStaysBelowWhatBecameAFile(engine: CatalogEngine, kind: (level: JobLevel, base: UInt64)) throws {
    try engine.withCatalog { catalog in
      try first(catalog)
      let second = try catalog.makeJob(.incremental, base: 1)
      try catalog.stage(
        second,
        [
          ("/a/x", .deletion), ("/a/sub", .whole(directoryEntry("sub"))),
          ("/a/sub/new", .whole(stored("new", 20))), ("/a-b", .whole(directoryEntry("a-b"))),
          ("/a-b/c", .whole(stored("c", 21))),
        ])
      try catalog.publish(second)
      let third = try catalog.makeJob(kind.level, base: kind.base)
      try catalog.stage(third, [("/a", .whole(stored("a", 30)))], problems: [("/", .list)])
      try catalog.publish(third)
      #expect(try catalog.paths(3) == ["/a", "/a-b", "/b", "/a-b/c", "/b/z"])
      #expect(try catalog.paths(2) == ["/a", "/a-b", "/b", "/a/sub", "/a/y", "/a/sub/new", "/a-b/c", "/b/z"])
    }
  }

  @Test(arguments: CatalogEngine.allCases) func jobsArePublishedInOrder(engine: CatalogEngine) throws {
    try engine.withCatalog { catalog in
      let jobs = try (1...3).map { _ in try catalog.makeJob() }
      for (index, job) in jobs.enumerated() {
        try catalog.stage(job, [(ByteString("/\(index)"), .whole(directoryEntry(ByteString("\(index)"))))])
      }
      try catalog.publish(jobs[1])
      #expect(throwsKind(.conflict) { try catalog.publish(jobs[0]) })
      #expect(try catalog.paths(2) == ["/1"])
      #expect(try catalog.job(number: 1)?.status == .running)
      var staged: [String] = []
      _ = try catalog.readStaged(of: 1, after: nil, limit: 9) { staged.append(path(of: $0)) }
      #expect(staged == ["/0"], "other jobs keep what they staged")
      try catalog.publish(jobs[2])
      #expect(try catalog.paths(3) == ["/2"] && catalog.paths(2) == ["/1"])
    }
  }

  @Test(arguments: CatalogEngine.allCases) func treesDoNotMix(engine: CatalogEngine) throws {
    try engine.withCatalog { catalog in
      let other = Tree(host: "db", name: "x")
      try first(catalog)
      let job = try catalog.makeJob(of: other)
      try catalog.stage(job, [("/a", .whole(directoryEntry("a", mode: 1)))])
      try catalog.publish(job)
      let again = try catalog.makeJob()
      try catalog.publish(again)
      #expect(try catalog.paths(3).isEmpty)
      #expect(try catalog.state(2, of: other).map(\.entry.attributes.mode) == [1])
      #expect(try catalog.paths(1).count == 5)
      #expect(try catalog.state(9, of: Tree(host: "no", name: "x")).isEmpty)
    }
  }
}
