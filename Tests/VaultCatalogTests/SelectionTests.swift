import Synchronization
import Testing
import VaultCatalog
import VaultModel

/// What a restore reads, on every engine.
@Suite struct SelectionTests {
  private struct Stop: Error {}

  /// Two jobs; hard links `/b/h1` and `/c/h2`; `/b/moved` refers to the first job's content; `/s1` and `/z/s2` are one
  /// symbolic link.
  private func fill(_ catalog: any CatalogStore) throws {
    let job = try catalog.makeJob()
    try catalog.stage(
      job,
      [
        ("/b", .whole(directoryEntry("b"))), ("/c", .whole(directoryEntry("c"))),
        ("/old", .sealed(fileEntry("old", inode: 20), sealed(digest: 3))),
        ("/s1", .whole(linkEntry("s1", inode: 40, links: 2))), ("/z", .whole(directoryEntry("z"))),
        ("/b/deep", .whole(directoryEntry("deep"))),
        ("/b/h1", .sealed(fileEntry("h1", inode: 30, links: 2), sealed(digest: 7))),
        ("/b/deep/file", .sealed(fileEntry("file", inode: 31), sealed(digest: 8))),
        ("/c/h2", .whole(fileEntry("h2", inode: 30, content: reference(1, 7, 7), links: 2))),
        ("/z/a", .whole(linkEntry("a", inode: 39))), ("/z/s2", .whole(linkEntry("s2", inode: 40, links: 2))),
      ])
    try catalog.publish(job)
    let next = try catalog.makeJob(.incremental, base: 1)
    try catalog.stage(
      next,
      [
        ("/new", .sealed(fileEntry("new", inode: 50), sealed(digest: 9))), ("/old", .deletion),
        ("/b/moved", .whole(fileEntry("moved", inode: 20, content: reference(1, 3, 3)))),
      ])
    try catalog.publish(next)
  }

  private func reference(_ number: UInt64, _ index: UInt64, _ digest: UInt64) -> ContentReference {
    .stored(ContentIdentifier(session: session(number), index: index), sealed(digest: digest))
  }

  @Test(arguments: CatalogEngine.sorting, [1, 3, 100]) func everything(engine: CatalogEngine, limit: Int) throws {
    try engine.withCatalog { catalog in
      try fill(catalog)
      func read(_ sequence: UInt64, _ pass: SelectionPass) throws -> [String] {
        try catalog.selection(.state(tree: tree, sequence: sequence), [], pass, limit: limit).map { path(of: $0) }
      }
      #expect(try read(2, .directories) == ["/b", "/c", "/z", "/b/deep"])
      // No content first, by inode; then by session and index, links of one inode together.
      #expect(
        try read(2, .contents)
          == ["/z/a", "/s1", "/z/s2", "/b/moved", "/b/h1", "/c/h2", "/b/deep/file", "/new"])
      #expect(
        try read(1, .contents) == ["/z/a", "/s1", "/z/s2", "/old", "/b/h1", "/c/h2", "/b/deep/file"])
    }
  }

  @Test(
    arguments: CatalogEngine.sorting,
    [
      (["/b/deep"], ["/b", "/b/deep"], ["/b/deep/file"]), (["/b/deep/"], ["/b", "/b/deep"], ["/b/deep/file"]),
      (["/new", "/c/h2"], ["/c"], ["/c/h2", "/new"]),
      (["/b", "/b/deep", "/b/h1"], ["/b", "/b/deep"], ["/b/moved", "/b/h1", "/b/deep/file"]),
      (["/none"], [], []), (["/b/none"], ["/b"], []), (["/"], ["/b", "/c", "/z", "/b/deep"], nil),
      (["/b/h1", "/b/deep"], ["/b", "/b/deep"], ["/b/h1", "/b/deep/file"]), (["/z/s2"], ["/z"], ["/z/s2"]),
    ] as [([ByteString], [String], [String]?)])
  func chosenPaths(engine: CatalogEngine, choice: (paths: [ByteString], directories: [String], contents: [String]?))
    throws
  {
    try engine.withCatalog { catalog in
      try fill(catalog)
      let source = SelectionSource.state(tree: tree, sequence: 2)
      for limit in [1, 2, 50] {
        #expect(
          try catalog.selection(source, choice.paths, .directories, limit: limit).map { path(of: $0) }
            == choice.directories)
        let contents = try catalog.selection(source, choice.paths, .contents, limit: limit).map { path(of: $0) }
        if let expected = choice.contents { #expect(contents == expected) } else { #expect(contents.count == 8) }
      }
    }
  }

  @Test(arguments: CatalogEngine.sorting) func aRestoreOutlivesThePublishingOfANewerJob(engine: CatalogEngine) throws {
    try engine.withCatalog { catalog in
      try fill(catalog)
      let source = SelectionSource.state(tree: tree, sequence: 2)
      let expected = try catalog.selection(source, [], .contents)
      var rows: [StateRow] = []
      var cursor = try catalog.readSelection(of: source, .paths([]), pass: .contents, after: nil, limit: 3) {
        rows.append($0)
      }
      let job = try catalog.makeJob(.incremental, base: 2)
      try catalog.stage(job, expected.map { ($0.directory.appending($0.entry.name).path, .deletion) })
      try catalog.publish(job)
      // Others who read the same do not disturb it, nor do those who give up.
      for _ in 0..<70 {
        let other = try catalog.readSelection(of: source, .paths([]), pass: .contents, after: nil, limit: 1) { _ in }
        try catalog.endReading(#require(other))
      }
      while let place = cursor {
        cursor = try catalog.readSelection(of: source, .paths([]), pass: .contents, after: place, limit: 2) {
          rows.append($0)
        }
      }
      #expect(rows.map(\.entry) == expected.map(\.entry))
    }
  }

  /// Cuts the connections on which rows are sorted and read, before or after a statement, as often as it is told.
  private final class Cuts: PostgreSQLFaults {
    private let moment: FaultMoment
    private let statement: String
    private let count = Mutex(0)

    init(_ moment: FaultMoment, _ statement: String) { (self.moment, self.statement) = (moment, statement) }

    func cut(_ times: Int) { count.withLock { $0 = times } }

    func strikes(_ moment: FaultMoment, _ statement: String) -> Bool {
      guard moment == self.moment, statement.hasPrefix(self.statement) else { return false }
      return count.withLock { count in
        defer { count = max(0, count - 1) }
        return count > 0
      }
    }
  }

  private func openCatalog(_ cuts: Cuts, sortByteCount: Int) throws -> PostgreSQLCatalog {
    let server = try TestServer.shared.get()
    var options = PostgreSQLOptions()
    options.faults = cuts
    options.sortByteCount = sortByteCount
    options.pause = { _ in }
    let catalog = try server.open(schema: server.newSchema(), options: options)
    try fill(catalog)
    return catalog
  }

  /// Sorted rows on the server go with their connection; those in memory have come whole or not at all.
  @Test(arguments: [1, 4, 100], [(FaultMoment.before, 0), (.after, 0), (.before, 1 << 20), (.after, 1 << 20)])
  func rowsThatTheServerLostAreMadeAgain(limit: Int, choice: (moment: FaultMoment, sortByteCount: Int)) throws {
    for statement in ["FETCH", "MOVE", "DECLARE", "BEGIN", "COMMIT"] {
      let cuts = Cuts(choice.moment, statement)
      let catalog = try openCatalog(cuts, sortByteCount: choice.sortByteCount)
      let source = SelectionSource.state(tree: tree, sequence: 2)
      let expected = try catalog.selection(source, [], .contents)
      var rows: [StateRow] = []
      var cursor: SelectionCursor?
      repeat {
        cuts.cut(2)
        cursor = try catalog.readSelection(of: source, .paths([]), pass: .contents, after: cursor, limit: limit) {
          rows.append($0)
        }
      } while cursor != nil
      cuts.cut(0)
      #expect(rows.map(\.entry) == expected.map(\.entry), "\(statement)")
      try catalog.close()
    }
  }

  /// Entries of every kind, more than a MiB of them, numbers that are negative for a database, and what refers to a session without a
  /// job: wherever they wait, they come as they are and in one order.
  @Test func rowsAreTheSameWhereverTheyWait() throws {
    let odd = [
      Extent(session: session(8), group: 5, rawOffset: 24, length: 960, fileOffset: 0),
      Extent(session: session(9), group: .max, rawOffset: .max, length: .max, fileOffset: .max),
    ]
    var carrier = fileEntry("carrier", inode: .max, size: .max, content: reference(700, 4, 4))
    carrier.attributes.device = .max
    carrier.extended = extended(9)
    var pipe = Entry(name: "pipe", attributes: FileAttributes(type: .fifo, mode: 0o600))
    pipe.attributes.inode = 1 << 63
    let special: [Entry] = [
      carrier, pipe, fileEntry("pieces", content: .extents(odd, sealed(7))),
      fileEntry("hole", content: .extents([], sealed(5))),
      fileEntry("older", content: reference(77, .max >> 1, 12)), linkEntry(ByteString([0xff, 0x0a])),
    ]
    let target = ByteString([UInt8](repeating: 0x61, count: 200))
    let many = (0..<6000).map {
      linkEntry(ByteString("l\($0)"), target: target, inode: UInt64(truncatingIfNeeded: 3000 - $0))
    }
    var all: [[Entry]] = []
    for engine in CatalogEngine.sorting {
      try engine.withCatalog { catalog in
        let job = try catalog.makeJob()
        try catalog.stage(job, (special + many).map { (key("/").appending($0.name).path, .whole($0)) })
        try catalog.publish(job)
        all.append(try catalog.selection(.state(tree: tree, sequence: 1), [], .contents).map(\.entry))
      }
    }
    for rows in all { #expect(rows == all[0]) }
    #expect(all[0].count == special.count + many.count)
    for entry in special { #expect(all[0].contains(entry), "\(entry.name.displayText)") }
  }

  /// Where there is no room for the rows of all who read, those of some wait elsewhere, and come in the same order.
  @Test(arguments: [CatalogEngine.file, .server]) func severalReadersShareTheRoom(engine: CatalogEngine) throws {
    try engine.withCatalog(sortByteCount: 2000) { catalog in
      let job = try catalog.makeJob()
      let names = (0..<12).map { ByteString("n\($0)") }
      try catalog.stage(
        job,
        names.enumerated().map { number, name in
          (
            ByteString("/\(name.displayText)"),
            .sealed(fileEntry(name, inode: 90 - UInt64(number)), sealed(digest: UInt64(number)))
          )
        })
      try catalog.publish(job)
      let source = SelectionSource.state(tree: tree, sequence: 1)
      var found: [[ByteString]] = [[], [], []]
      var cursors: [SelectionCursor?] = [nil, nil, nil]
      repeat {
        for reader in found.indices where found[reader].isEmpty || cursors[reader] != nil {
          cursors[reader] = try catalog.readSelection(
            of: source, .paths([]), pass: .contents, after: cursors[reader], limit: 5
          ) { found[reader].append($0.entry.name) }
        }
      } while cursors.contains { $0 != nil }
      #expect(found == [names, names, names])
    }
  }

  /// A page that its reader did not take is read again from where it began.
  @Test(arguments: CatalogEngine.sorting) func aPageMayBeReadAgain(engine: CatalogEngine) throws {
    try engine.withCatalog { catalog in
      try fill(catalog)
      let source = SelectionSource.state(tree: tree, sequence: 2)
      let expected = try catalog.selection(source, [], .contents)
      var rows: [StateRow] = []
      var cursor: SelectionCursor?
      repeat {
        if let cursor {
          #expect(throws: CatalogError.self) {
            _ = try catalog.readSelection(of: source, .paths([]), pass: .contents, after: cursor, limit: 2) { _ in
              throw Stop()
            }
          }
        }
        cursor = try catalog.readSelection(of: source, .paths([]), pass: .contents, after: cursor, limit: 3) {
          rows.append($0)
        }
      } while cursor != nil
      #expect(rows.map(\.entry) == expected.map(\.entry))
    }
  }

  /// Nobody is told that a selection ends there.
  @Test(arguments: CatalogEngine.sorting) func aClosedCatalogSortsNothing(engine: CatalogEngine) throws {
    try engine.withCatalog { catalog in
      try fill(catalog)
      let source = SelectionSource.state(tree: tree, sequence: 2)
      let cursor = try catalog.readSelection(of: source, .paths([]), pass: .contents, after: nil, limit: 2) { _ in }
      #expect(cursor != nil)
      try catalog.close()
      for place in [cursor, nil] {
        #expect(
          throwsKind(.closed) {
            _ = try catalog.readSelection(of: source, .paths([]), pass: .contents, after: place, limit: 2) { _ in }
          })
      }
    }
  }

  @Test func rowsThatCannotBeMadeAgainAreNotReadOn() throws {
    let cuts = Cuts(.before, "FETCH")
    let catalog = try openCatalog(cuts, sortByteCount: 0)
    let source = SelectionSource.state(tree: tree, sequence: 2)
    var cursor: SelectionCursor?
    // Where the state is another one by then, they would be read from a place that is none.
    func begin(_ source: SelectionSource) throws -> SelectionCursor {
      let cursor = try catalog.readSelection(of: source, .paths([]), pass: .contents, after: nil, limit: 1) { _ in }
      cuts.cut(1)
      return try #require(cursor)
    }
    func cannotGoOn(_ source: SelectionSource, _ cursor: SelectionCursor) -> Bool {
      throwsKind(.notFound) {
        _ = try catalog.readSelection(of: source, .paths([]), pass: .contents, after: cursor, limit: 1) { _ in }
      }
    }
    let next = try catalog.makeJob(.incremental, base: 2)
    try catalog.stage(
      next, (0..<9).map { (ByteString("/w\($0)"), .whole(linkEntry(ByteString("w\($0)"), inode: 60 + UInt64($0)))) })
    cursor = try begin(.staged(job: next.description.number))
    #expect(try cannotGoOn(.staged(job: next.description.number), #require(cursor)))
    cursor = try begin(source)
    _ = try catalog.dropJobs([2], at: Timestamp(nanoseconds: 9))
    for _ in 0..<2 { #expect(try cannotGoOn(source, #require(cursor))) }
    try catalog.close()
  }

  @Test(arguments: CatalogEngine.sorting) func whoGivesUpLeavesNothing(engine: CatalogEngine) throws {
    try engine.withCatalog { catalog in
      try fill(catalog)
      let source = SelectionSource.state(tree: tree, sequence: 2)
      let cursor = try catalog.readSelection(of: source, .paths([]), pass: .contents, after: nil, limit: 2) { _ in }
      try catalog.endReading(#require(cursor))
      #expect(
        throwsKind(.callerFailed) {
          _ = try catalog.readSelection(of: source, .paths([]), pass: .contents, after: nil, limit: 2) { _ in
            throw Stop()
          }
        })
      // What was sorted for one reader is not what another one gets, however alike they ask.
      let job = try catalog.makeJob(.incremental, base: 2)
      try catalog.stage(
        job, [("/x1", .whole(linkEntry("x1", inode: 71))), ("/x2", .whole(linkEntry("x2", inode: 72)))])
      _ = try catalog.readSelection(
        of: .staged(job: job.description.number), .paths([]), pass: .contents, after: nil, limit: 1
      ) { _ in }
      try catalog.stage(job, commit: 2, index: 3, [("/x3", .whole(linkEntry("x3", inode: 73)))])
      #expect(
        try catalog.selection(.staged(job: job.description.number), [], .contents).map { path(of: $0) } == [
          "/x1", "/x2", "/x3",
        ])
    }
  }

  /// Rows that wait on the server take a connection of their own as long as they are read.
  @Test(arguments: [(0, 2), (1 << 20, 1)])
  func whatNobodyReadsAnyMoreTakesNoConnection(sortByteCount: Int, readerCount: Int) throws {
    let server = try TestServer.shared.get()
    let schema = server.newSchema()
    var options = PostgreSQLOptions()
    options.sortByteCount = sortByteCount
    let catalog = try server.open(schema: schema, options: options)
    try fill(catalog)
    let source = SelectionSource.state(tree: tree, sequence: 2)
    /// Connections that work for the catalog, when as many of them as are closed are gone.
    func connectionCount(_ expected: Int) throws -> String {
      var count = ""
      for _ in 0..<500 where count != "\(expected)" {
        count = try server.sql(
          """
          SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'
            AND ((classid::int8 << 32) | objid::int8) = hashtextextended('vault work \(schema)', 0)
          """)
      }
      return count
    }
    for _ in 0..<3 {
      let cursor = try catalog.readSelection(of: source, .paths([]), pass: .contents, after: nil, limit: 2) { _ in }
      #expect(try connectionCount(readerCount) == "\(readerCount)")
      try catalog.endReading(#require(cursor))
      #expect(throws: CatalogError.self) {
        _ = try catalog.readSelection(of: source, .paths([]), pass: .contents, after: nil, limit: 2) { _ in throw Stop()
        }
      }
      #expect(try connectionCount(1) == "1")
    }
    #expect(try catalog.selection(source, [], .contents, limit: 3).count == 8)
    #expect(try connectionCount(1) == "1")
    try catalog.close()
  }

  @Test(arguments: CatalogEngine.sorting) func aStateThatWentIsNotRead(engine: CatalogEngine) throws {
    try engine.withCatalog { catalog in
      try fill(catalog)
      let source = SelectionSource.state(tree: tree, sequence: 2)
      let cursor = try catalog.readSelection(of: source, .paths([]), pass: .directories, after: nil, limit: 1) { _ in }
      _ = try catalog.dropJobs([1, 2], at: Timestamp(nanoseconds: 9))
      #expect(
        throwsKind(.notFound) {
          _ = try catalog.readSelection(of: source, .paths([]), pass: .directories, after: cursor, limit: 1) { _ in }
        })
    }
  }

  /// A directory that went gives nothing to one that came: its number is not used again.
  @Test(arguments: CatalogEngine.sorting) func aDirectoryThatWentIsNoOtherOne(engine: CatalogEngine) throws {
    try engine.withCatalog { catalog in
      try fill(catalog)
      let job = try catalog.makeJob(.incremental, base: 2)
      try catalog.stage(
        job,
        [
          ("/q", .whole(directoryEntry("q"))), ("/q/1", .whole(linkEntry("1", inode: 81))),
          ("/q/2", .whole(linkEntry("2", inode: 82))),
        ])
      try catalog.publish(job)
      let other = try catalog.makeJob(of: Tree(host: "other", name: "other"))
      let source = SelectionSource.state(tree: tree, sequence: 3)
      var found: [StateRow] = []
      let cursor = try catalog.readSelection(of: source, .paths(["/q"]), pass: .contents, after: nil, limit: 1) {
        found.append($0)
      }
      _ = try catalog.dropJobs([3], at: Timestamp(nanoseconds: 9))
      try catalog.stage(other, [("/r", .whole(directoryEntry("r"))), ("/r/s", .whole(linkEntry("s", inode: 1)))])
      try catalog.publish(other)
      // What waits is read on, or refused; it never lies elsewhere.
      do {
        _ = try catalog.readSelection(of: source, .paths(["/q"]), pass: .contents, after: cursor, limit: 1) {
          found.append($0)
        }
      } catch let error as CatalogError {
        #expect(error.kind == .notFound)
      }
      #expect(found.map { path(of: $0) } == Array(["/q/1", "/q/2"].prefix(found.count)) && !found.isEmpty)
    }
  }

  /// Runs something once before the rows of a selection are sorted.
  private final class Meanwhile: PostgreSQLFaults {
    private let work = Mutex<(@Sendable () -> Void)?>(nil)

    func set(_ body: @escaping @Sendable () -> Void) { work.withLock { $0 = body } }

    func strikes(_ moment: FaultMoment, _ statement: String) -> Bool {
      guard moment == .before, statement.hasPrefix("DECLARE") else { return false }
      work.withLock { $0.take() }?()
      return false
    }
  }

  @Test(arguments: [0, 1 << 20]) func aJobPublishedWhileRowsAreSortedTakesNoneAway(sortByteCount: Int) throws {
    let server = try TestServer.shared.get()
    var options = PostgreSQLOptions()
    options.sortByteCount = sortByteCount
    let meanwhile = Meanwhile()
    options.faults = meanwhile
    let catalog = try server.open(schema: server.newSchema(), options: options)
    try fill(catalog)
    let source = SelectionSource.state(tree: tree, sequence: 2)
    let expected = try catalog.selection(source, [], .contents)
    let job = try catalog.makeJob(.incremental, base: 2)
    try catalog.stage(job, expected.map { ($0.directory.appending($0.entry.name).path, .deletion) })
    let failure = Mutex<(any Error)?>(nil)
    meanwhile.set {
      do { try catalog.publish(job) } catch { failure.withLock { $0 = error } }
    }
    #expect(try catalog.selection(source, [], .contents).map(\.entry) == expected.map(\.entry))
    #expect(failure.withLock { $0 } == nil)
    #expect(try catalog.selection(.state(tree: tree, sequence: 3), [], .contents).isEmpty)
    try catalog.close()
  }

  @Test(arguments: CatalogEngine.sorting) func whatAJobStagedCanBeRestored(engine: CatalogEngine) throws {
    try engine.withCatalog { catalog in
      try fill(catalog)
      let job = try catalog.makeJob(.incremental, base: 2)
      try catalog.stage(
        job,
        [
          ("/b", .whole(directoryEntry("b"))), ("/b/half", .unsealed(fileEntry("half"))), ("/c", .deletion),
          ("/b/own", .sealed(fileEntry("own"), sealed())),
          ("/b/known", .whole(fileEntry("known", content: reference(1, 3, 3)))),
        ])
      let source = SelectionSource.staged(job: 3)
      #expect(try catalog.selection(source, [], .directories, limit: 1).map { path(of: $0) } == ["/b"])
      let rows = try catalog.selection(source, ["/b"], .contents, limit: 1)
      #expect(rows.map { path(of: $0) } == ["/b/known", "/b/own"] && rows.allSatisfy { $0.first == 3 })
      #expect(throwsKind(.notFound) { _ = try catalog.selection(.staged(job: 9), [], .contents) })
      #expect(try catalog.selection(.state(tree: Tree(host: "no", name: ""), sequence: 1), [], .contents).isEmpty)
    }
  }

  /// A noted selection is read as the same paths are.
  @Test(arguments: CatalogEngine.sorting, [1, 2, 50]) func notedPlaces(engine: CatalogEngine, limit: Int) throws {
    try engine.withCatalog { catalog in
      try fill(catalog)
      let source = SelectionSource.state(tree: tree, sequence: 2)
      let number = try catalog.beginSelection()
      try catalog.select(
        [.onTheWay(position("/b")), .entry(position("/b/deep")), .entry(position("/b/h1"))], in: number)
      try catalog.select(
        [.below(key("/b/deep")), .onTheWay(position("/b")), .entry(position("/none")), .onTheWay(position("/new"))],
        in: number)
      for _ in 0..<2 {
        for pass in [SelectionPass.directories, .contents] {
          let paths = try catalog.selection(source, ["/b/h1", "/b/deep"], pass)
          let noted = try catalog.selection(source, .noted(number), pass, limit: limit)
          #expect(noted.map { path(of: $0) } == paths.map { path(of: $0) })
          #expect(noted.map(\.leadsOnly) == paths.map(\.leadsOnly))
          #expect(noted.map(\.entry) == paths.map(\.entry))
        }
      }
      #expect(try catalog.selection(source, .noted(number), .directories).map(\.leadsOnly) == [true, false])
      let old = try catalog.selection(.state(tree: tree, sequence: 1), .noted(number), .contents)
      #expect(old.map { path(of: $0) } == ["/b/h1", "/b/deep/file"])
      try catalog.endSelection(number)
      try catalog.endSelection(number)
      #expect(throwsKind(.notFound) { _ = try catalog.selection(source, .noted(number), .contents) })
      #expect(throwsKind(.notFound) { try catalog.select([.below(.root)], in: number) })
    }
  }

  @Test(arguments: CatalogEngine.sorting) func directoriesComeInOrderFromAKeyOn(engine: CatalogEngine) throws {
    try engine.withCatalog { catalog in
      try fill(catalog)
      let source = SelectionSource.state(tree: tree, sequence: 2)
      func read(_ from: [UInt8], _ limit: Int) throws -> [ByteString] {
        try catalog.directories(of: source, from: from, limit: limit).map(\.path)
      }
      #expect(try read([], 9) == ["/", "/b", "/b/deep", "/c", "/z"])
      #expect(try read(key("/b").bytes.bytes, 2) == ["/b", "/b/deep"])
      #expect(try read(key("/b").bytes.bytes + [1], 9) == ["/c", "/z"])
      #expect(try read([1], 9) == [])
      #expect(
        try catalog.directories(of: .state(tree: Tree(host: "no", name: ""), sequence: 1), from: [], limit: 9) == [])
    }
  }

  /// Numbers of inodes repeat on other file systems.
  @Test(arguments: CatalogEngine.sorting) func linksOfOneFileAreTogether(engine: CatalogEngine) throws {
    try engine.withCatalog { catalog in
      let job = try catalog.makeJob()
      var rows: [(ByteString, Staged)] = []
      for (index, device) in ([1, 2, 1, 2, 3, 1] as [UInt64]).enumerated() {
        var fifo = Entry(
          name: ByteString("p\(index)"), attributes: FileAttributes(type: .fifo, mode: 0o600, inode: 5, linkCount: 3))
        fifo.attributes.device = device
        rows.append((ByteString("/p\(index)"), .whole(fifo)))
      }
      try catalog.stage(job, rows)
      try catalog.publish(job)
      let found = try catalog.selection(.state(tree: tree, sequence: 1), [], .contents, limit: 2)
      #expect(found.map(\.entry.attributes.device) == [1, 1, 1, 2, 2, 3])
    }
  }
}
