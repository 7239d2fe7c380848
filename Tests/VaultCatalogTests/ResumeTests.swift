import Testing
import VaultCatalog
import VaultModel

/// Where an interrupted job goes on, on every engine.
@Suite struct ResumeTests {
  @Test(arguments: CatalogEngine.allCases) func aJobWithoutCommitsBeginsAtTheBeginning(engine: CatalogEngine) throws {
    try engine.withCatalog { catalog in
      _ = try catalog.makeJob()
      #expect(
        try catalog.resumePoint(of: 1)
          == ResumePoint(
            position: nil, nextEntryIndex: 1, nextGroup: 1, nextCommit: 1, halfSent: nil, keptEntries: 0, keptBytes: 0))
      #expect(throwsKind(.notFound) { _ = try catalog.resumePoint(of: 2) })
    }
  }

  @Test(arguments: CatalogEngine.allCases) func itGoesOnAfterTheLastPosition(engine: CatalogEngine) throws {
    try engine.withCatalog { catalog in
      let job = try catalog.makeJob()
      try catalog.stage(
        job, index: 5,
        [
          ("/a", .whole(directoryEntry("a"))), ("/a.b", .sealed(fileEntry("a.b"), sealed(40))),
          ("/a/b", .sealed(fileEntry("b"), sealed(2))),
          (
            "/a/c", .whole(fileEntry("c", content: .stored(ContentIdentifier(session: session(9), index: 1), sealed())))
          ),
        ], locations: [location(1, kind: .attributes, entry: 5, offset: 0), location(2, entry: 6, offset: 0)])
      var point = try catalog.resumePoint(of: 1)
      #expect(point.position == position("/a/c") && point.nextEntryIndex == 9)
      #expect(point.nextGroup == 3 && point.nextCommit == 2 && point.halfSent == nil)
      #expect(point.keptEntries == 4 && point.keptBytes == 42)
      // A deletion counts, a problem counts, but not a missing path that was told before its turn.
      try catalog.stage(job, commit: 2, index: 9, [("/a/d", .deletion)], problems: [("/z/y", .missing)])
      point = try catalog.resumePoint(of: 1)
      #expect(point.position == position("/a/d"))
      try catalog.stage(job, commit: 3, index: 9, [], problems: [("/a/e", .open)])
      point = try catalog.resumePoint(of: 1)
      #expect(point.position == position("/a/e") && point.keptEntries == 4)
    }
  }

  @Test(arguments: CatalogEngine.allCases) func anIndexIsNeverGivenTwice(engine: CatalogEngine) throws {
    try engine.withCatalog { catalog in
      let job = try catalog.makeJob()
      try catalog.stage(job, index: 20, [("/a", .sealed(fileEntry("a"), sealed()))])
      try catalog.stage(job, commit: 2, index: 3, [("/a", .deletion), ("/b", .whole(directoryEntry("b")))])
      #expect(try catalog.resumePoint(of: 1).nextEntryIndex == 21)
    }
  }

  @Test(arguments: CatalogEngine.allCases) func aLargeFileGoesOnWhereItWasCut(engine: CatalogEngine) throws {
    try engine.withCatalog { catalog in
      let job = try catalog.makeJob()
      let large = fileEntry("big", inode: 55, size: 1 << 30)
      try catalog.stage(
        job, [("/d/a", .sealed(fileEntry("a"), sealed(10))), ("/d/big", .unsealed(large))],
        locations: [
          location(1, entry: 1, offset: 0, raw: 34), location(2, entry: 2, offset: 0, raw: 1024),
          location(3, entry: 2, offset: 1000, raw: 1024), location(5, entry: 2, offset: 1 << 29, raw: 2048),
          location(4, kind: .attributes, entry: 1, offset: 0),
        ])
      let point = try catalog.resumePoint(of: 1)
      // Between the last two groups is a hole, or the last one holds several pieces: the file itself can tell.
      let half = HalfSentFile(
        index: 2, directory: key("/d"), entry: large,
        committed: CommittedGroups(lastOffset: 1 << 29, rawByteCount: 4096))
      #expect(point.halfSent == half)
      #expect(point.position == position("/d/a"))
      #expect(point.nextEntryIndex == 3 && point.nextGroup == 6)
      #expect(point.keptEntries == 1 && point.keptBytes == 4106)
      // Once sealed it is like any other.
      try catalog.stageCommit(CommitHeader(number: 2, attempt: 2, volumes: []), of: 1) { staging in
        try staging.seal(index: 2, sealed(1 << 30))
      }
      let after = try catalog.resumePoint(of: 1)
      #expect(after.halfSent == nil && after.position == position("/d/big"))
    }
  }

  @Test(arguments: CatalogEngine.allCases) func aHalfSentFirstFileHasNothingBefore(engine: CatalogEngine) throws {
    try engine.withCatalog { catalog in
      let job = try catalog.makeJob()
      try catalog.stage(job, [("/big", .unsealed(fileEntry("big")))])
      let point = try catalog.resumePoint(of: 1)
      #expect(
        point.position == nil && point.halfSent?.committed == CommittedGroups(lastOffset: 0, rawByteCount: 0)
          && point.keptEntries == 0)
    }
  }

  @Test(arguments: CatalogEngine.allCases) func aFileThatFailedIsNotHalfSent(engine: CatalogEngine) throws {
    try engine.withCatalog { catalog in
      let job = try catalog.makeJob()
      try catalog.stage(
        job, [("/bad", .unsealed(fileEntry("bad"))), ("/good", .sealed(fileEntry("good"), sealed()))],
        problems: [("/bad", .read)])
      let point = try catalog.resumePoint(of: 1)
      #expect(point.halfSent == nil && point.position == position("/good"))
    }
  }
}
