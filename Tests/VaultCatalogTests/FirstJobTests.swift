import Testing
import VaultCatalog
import VaultModel

/// A tree's first job, which an engine may stage where its entries are to stay, on every engine.
@Suite struct FirstJobTests {
  private static let rows: [(path: ByteString, row: Staged)] = [
    ("/a", .whole(directoryEntry("a"))), ("/a/x", .sealed(fileEntry("x", inode: 11), sealed(1))),
    ("/a/y", .sealed(fileEntry("y", inode: 12), sealed(2))),
  ]

  private func staged(_ job: UInt64, in catalog: any CatalogStore) throws -> [String] {
    var rows: [StateRow] = []
    _ = try catalog.readStaged(of: job, after: nil, limit: 100) { rows.append($0) }
    return rows.map { path(of: $0) }
  }

  private func answers(_ catalog: any CatalogStore, inode: UInt64) throws -> [ContentReference?] {
    try catalog.knownContents(of: tree, [question(inode)])
  }

  private func question(_ inode: UInt64) -> InodeQuestion {
    InodeQuestion(
      device: 64768, inode: inode, size: 100, modified: FileTime(seconds: 1_700_000_000, nanoseconds: 999_999_999))
  }

  @Test(arguments: CatalogEngine.allCases) func nothingIsVisibleBeforeItIsPublished(engine: CatalogEngine) throws {
    try engine.withCatalog { catalog in
      let job = try catalog.makeJob()
      try catalog.stage(job, Self.rows)
      #expect(try catalog.paths(1).isEmpty && catalog.paths(9).isEmpty)
      #expect(try answers(catalog, inode: 11) == [nil])
      #expect(try catalog.stagedContents(of: 1, [question(11), question(13)]).map { $0 != nil } == [true, false])
      var versions = 0
      _ = try catalog.readVersions(of: tree, at: position("/a/x"), before: nil, limit: 10) { _ in versions += 1 }
      #expect(versions == 0)
      #expect(try staged(1, in: catalog) == ["/a", "/a/x", "/a/y"])
      #expect(try catalog.selection(.staged(job: 1), ["/a"], .contents).count == 2)
      try catalog.publish(job)
      #expect(try catalog.paths(1) == ["/a", "/a/x", "/a/y"] && catalog.state(1).map(\.first) == [1, 1, 1])
      #expect(try answers(catalog, inode: 11) != [nil])
      #expect(try staged(1, in: catalog).isEmpty)
    }
  }

  @Test(arguments: CatalogEngine.allCases) func aSecondFirstJobMayBePublishedBefore(engine: CatalogEngine) throws {
    try engine.withCatalog { catalog in
      let (first, second) = (try catalog.makeJob(), try catalog.makeJob())
      try catalog.stage(first, Self.rows + [("/a/old", .sealed(fileEntry("old"), sealed()))])
      try catalog.stage(second, Self.rows + [("/a/new", .sealed(fileEntry("new"), sealed()))])
      try catalog.stage(first, commit: 2, index: 9, [("/a/late", .sealed(fileEntry("late"), sealed()))])
      try catalog.publish(second)
      #expect(try catalog.paths(2) == ["/a", "/a/new", "/a/x", "/a/y"])
      #expect(try staged(1, in: catalog) == ["/a", "/a/late", "/a/old", "/a/x", "/a/y"])
      #expect(try catalog.resumePoint(of: 1).keptEntries == 5)
      try catalog.stage(first, commit: 3, index: 12, [("/a/z", .sealed(fileEntry("z"), sealed()))])
      #expect(throwsKind(.conflict) { try catalog.publish(first) })
      let next = try catalog.makeJob(.incremental, base: 2)
      _ = try catalog.dropJobs([1], at: Timestamp(nanoseconds: 9))
      #expect(try catalog.paths(2) == ["/a", "/a/new", "/a/x", "/a/y"])
      try catalog.stage(next, [("/a/new", .deletion)])
      try catalog.publish(next)
      #expect(try catalog.paths(3) == ["/a", "/a/x", "/a/y"])
    }
  }

  @Test(arguments: CatalogEngine.allCases) func itsSuccessorReplacesWhatItStaged(engine: CatalogEngine) throws {
    try engine.withCatalog { catalog in
      let (first, second) = (try catalog.makeJob(), try catalog.makeJob())
      try catalog.stage(second, Self.rows)
      try catalog.stage(first, Self.rows)
      try catalog.publish(first)
      #expect(try catalog.paths(1) == ["/a", "/a/x", "/a/y"])
      try catalog.publish(second)
      #expect(try catalog.paths(2) == ["/a", "/a/x", "/a/y"] && catalog.state(2).map(\.first) == [1, 2, 2])
      #expect(try catalog.state(1).map(\.first) == [1, 1, 1])
    }
  }

  @Test(arguments: CatalogEngine.allCases) func aDroppedOneLeavesNothing(engine: CatalogEngine) throws {
    try engine.withCatalog { catalog in
      let (job, next) = (try catalog.makeJob(), try catalog.makeJob())
      try catalog.stage(job, Self.rows + [("/a/big", .unsealed(fileEntry("big")))])
      _ = try catalog.dropJobs([1], at: Timestamp(nanoseconds: 9))
      try catalog.stage(next, [("/b", .whole(directoryEntry("b")))])
      #expect(try staged(2, in: catalog) == ["/b"])
      try catalog.publish(next)
      #expect(try catalog.paths(2) == ["/b"])
    }
  }

  @Test(arguments: CatalogEngine.allCases) func theLastRowOfANameCounts(engine: CatalogEngine) throws {
    try engine.withCatalog { catalog in
      let job = try catalog.makeJob()
      try catalog.stage(job, Self.rows)
      // What was an entry is one that is not whole; then it is sealed.
      try catalog.stage(job, commit: 2, index: 10, [("/a/x", .unsealed(fileEntry("x", size: 7)))])
      #expect(try staged(1, in: catalog) == ["/a", "/a/y"])
      var point = try catalog.resumePoint(of: 1)
      #expect(point.halfSent?.index == 10 && point.position == position("/a") && point.keptEntries == 2)
      try catalog.stageCommit(CommitHeader(number: 3, attempt: 1, volumes: []), of: 1) { staging in
        try staging.seal(index: 10, sealed(7))
      }
      #expect(try staged(1, in: catalog) == ["/a", "/a/x", "/a/y"])
      // An entry and no entry under one name, in one commit, both ways round.
      try catalog.stage(
        job, commit: 4, index: 20,
        [
          ("/b/p", .whole(linkEntry("p"))), ("/b/p", .deletion), ("/b/q", .deletion), ("/b/q", .whole(linkEntry("q"))),
          ("/b/r", .whole(linkEntry("r"))),
        ])
      #expect(try staged(1, in: catalog) == ["/a", "/a/x", "/a/y", "/b/q", "/b/r"])
      // Entries take the place of what waited, and go where entries go.
      try catalog.stage(
        job, commit: 5, index: 30, [("/b/p", .whole(linkEntry("p"))), ("/b/r", .deletion), ("/b/s", .deletion)])
      try catalog.stage(job, commit: 6, index: 40, [("/b/s", .whole(linkEntry("s")))])
      #expect(try staged(1, in: catalog) == ["/a", "/a/x", "/a/y", "/b/p", "/b/q", "/b/s"])
      point = try catalog.resumePoint(of: 1)
      #expect(point.position == position("/b/s") && point.keptEntries == 6)
      #expect(try catalog.selection(.staged(job: 1), [], .contents).count == 5)
      try catalog.publish(job)
      #expect(try catalog.paths(1) == ["/a", "/a/x", "/a/y", "/b/p", "/b/q", "/b/s"])
      #expect(try catalog.entry(of: tree, sequence: 1, at: position("/a/x"))?.attributes.size == 7)
    }
  }

  // MARK: On a server

  @Test func aServerTakesItsRowsOnce() throws {
    let server = try TestServer.shared.get()
    let schema = server.newSchema()
    let catalog = try server.open(schema: schema)
    func counts() throws -> String {
      try server.sql("SELECT (SELECT count(*) FROM \(schema).stage), (SELECT count(*) FROM \(schema).entry_current)")
    }
    let job = try catalog.makeJob()
    try catalog.stage(job, Self.rows + [("/a/z", .unsealed(fileEntry("z")))])
    #expect(try counts() == "1|3")
    let other = try catalog.makeJob()
    try catalog.stage(other, Self.rows)
    #expect(try counts() == "4|3")
    try catalog.publish(job)
    #expect(try counts() == "3|3")
    try catalog.publish(other)
    #expect(try counts() == "0|3")
    try catalog.close()
  }

  @Test func aSchemaOfTheFirstVersionIsBroughtToThisOne() throws {
    let server = try TestServer.shared.get()
    let schema = server.newSchema()
    let old = try server.open(schema: schema)
    let job = try old.makeJob()
    try old.stage(job, Self.rows)
    try old.publish(job)
    let open = try old.makeJob(of: Tree(host: "web2", name: "other"))
    try old.close()
    _ = try server.sql(
      """
      ALTER TABLE \(schema).job DROP COLUMN in_place; DROP TABLE \(schema).transaction_trace;
      CREATE TABLE \(schema).selection_row(selection int8); ALTER TABLE \(schema).selection_row OWNER TO vault;
      UPDATE \(schema).repository SET schema_version = 1
      """)
    let catalog = try server.open(schema: schema)
    #expect(try catalog.paths(1) == ["/a", "/a/x", "/a/y"])
    try catalog.stage(open, Self.rows)
    try catalog.publish(open)
    #expect(try catalog.state(2, of: open.description.tree).count == 3)
    #expect(try server.sql("SELECT schema_version FROM \(schema).repository") == "4")
    try catalog.close()
  }
}
