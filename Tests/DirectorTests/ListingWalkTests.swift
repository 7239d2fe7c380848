import Testing
import VaultCatalog
import VaultModel
import VaultProtocol

@testable import Director

/// What `ls` shows of a tree, and of a job that is not published.
@Suite struct ListingWalkTests {
  static let paths: [ByteString] = [
    "/a/", "/a-c/", "/a.b", "/b", "/a/b/", "/a/x", "/a/b/c", "/a/b/d", "/a-c/d", "/a/bb/", "/a/bb/e",
  ]
  /// Directories by key, so `/a/b` before `/a/bb` before `/a-c`.
  static let canonical: [ByteString] = [
    "/a", "/a-c", "/a.b", "/b", "/a/b", "/a/bb", "/a/x", "/a/b/c", "/a/b/d", "/a/bb/e", "/a-c/d",
  ]

  static func walk(_ published: Bool, _ path: ByteString?, limit: Int) throws -> [ByteString] {
    let catalog = try emptyCatalog()
    let source: SelectionSource
    if published {
      source = .state(tree: home, sequence: try catalog.publishJob(paths, of: home, ended: 5).description.sequence)
    } else {
      let job = try catalog.makeJob(of: home)
      try catalog.stage(paths, in: job)
      source = .staged(job: job.description.number)
    }
    return try self.walk(catalog, source, path.map { [PathPattern(path: $0)] } ?? [], limit: limit)
  }

  static func walk(
    _ catalog: any CatalogStore, _ source: SelectionSource, _ patterns: [PathPattern], limit: Int
  ) throws -> [ByteString] {
    var walk = ListingWalk(catalog: catalog, source: source, patterns: patterns)
    var rows: [StateRow] = []
    while let page = try walk.nextPage(limit: limit) {
      #expect(page.count <= limit)
      rows += page
    }
    return rows.map { $0.directory.appending($0.entry.name).path }
  }

  @Test(
    arguments: [
      (nil, canonical), ("/", canonical), ("/a", ["/a", "/a/b", "/a/bb", "/a/x", "/a/b/c", "/a/b/d", "/a/bb/e"]),
      ("/a/b", ["/a/b", "/a/b/c", "/a/b/d"]), ("/a/b/", ["/a/b", "/a/b/c", "/a/b/d"]), ("/a-c", ["/a-c", "/a-c/d"]),
      ("/a.b", ["/a.b"]), ("/b", ["/b"]), ("/a/x", ["/a/x"]), ("/a/bb/e", ["/a/bb/e"]), ("/c", []), ("/a/bbb", []),
      ("/a/b/c/d", []),
    ] as [(ByteString?, [ByteString])], [true, false])
  func itShowsThePathAndWhatIsBelow(_ example: (ByteString?, [ByteString]), _ published: Bool) throws {
    for limit in [1, 2, 100] {
      #expect(try Self.walk(published, example.0, limit: limit) == example.1, "limit \(limit)")
    }
  }

  @Test(
    arguments: [
      (["/a*"], ["/a", "/a-c", "/a.b", "/a/b", "/a/bb", "/a/x", "/a/b/c", "/a/b/d", "/a/bb/e", "/a-c/d"]),
      (["/a/*/?"], ["/a/b/c", "/a/b/d", "/a/bb/e"]), (["/**/d"], ["/a/b/d", "/a-c/d"]),
      (["/**/b"], ["/b", "/a/b", "/a/b/c", "/a/b/d"]),
      (["/a/**"], ["/a/b", "/a/bb", "/a/x", "/a/b/c", "/a/b/d", "/a/bb/e"]), (["/a/b/[c-d]"], ["/a/b/c", "/a/b/d"]),
      (["/a/[!b]*", "/b", "/a-c/d"], ["/b", "/a/x", "/a-c/d"]), (["/a/b/*", "/a/b"], ["/a/b", "/a/b/c", "/a/b/d"]),
      (["/a\\/b"], []), (["/\\a.b"], ["/a.b"]), (["/*/*/*/*"], []), (["/x*"], []), (["/**"], canonical),
      (["/*"], canonical),
      (["/**/bb/**/e", "/**/x"], ["/a/x", "/a/bb/e"]),
    ] as [([ByteString], [ByteString])], [true, false])
  func patternsSelectInCanonicalOrder(_ example: ([ByteString], [ByteString]), _ published: Bool) throws {
    let catalog = try emptyCatalog()
    let source: SelectionSource
    if published {
      source = .state(
        tree: home, sequence: try catalog.publishJob(Self.paths, of: home, ended: 5).description.sequence)
    } else {
      let job = try catalog.makeJob(of: home)
      try catalog.stage(Self.paths, in: job)
      source = .staged(job: job.description.number)
    }
    for limit in [1, 2, 100] {
      let found = try Self.walk(catalog, source, example.0.map { PathPattern(pattern: $0) }, limit: limit)
      #expect(found == example.1, "limit \(limit)")
    }
  }

  /// An unpublished job holds what changed, not the directories above it.
  @Test func withoutEntriesOfDirectories() throws {
    let catalog = try emptyCatalog()
    let job = try catalog.makeJob(of: home)
    try catalog.stage(["/a/b/c", "/a/bb/e"], in: job)
    let source = SelectionSource.staged(job: job.description.number)
    for (pattern, expected) in [
      ("/a", ["/a/b/c", "/a/bb/e"]), ("/*/b", ["/a/b/c"]), ("/**/b*", ["/a/b/c", "/a/bb/e"]), ("/a/b/x", []),
    ] as [(ByteString, [ByteString])] {
      #expect(try Self.walk(catalog, source, [PathPattern(pattern: pattern)], limit: 10) == expected)
    }
  }

  /// What a narrow pattern costs does not grow with the tree.
  @Test func aNarrowPatternReadsLittle() throws {
    let catalog = try emptyCatalog()
    var paths: [ByteString] = ["/a/", "/z/", "/z/y/", "/z/y/file.c"]
    for directory in 0..<100 {
      paths.append(ByteString("/a/d\(directory)/"))
      for file in 0..<20 { paths.append(ByteString("/a/d\(directory)/f\(file).c")) }
    }
    let sequence = try catalog.publishJob(paths, of: home, ended: 5).description.sequence
    func cost(_ pattern: ByteString, _ count: Int) throws -> Int64 {
      let before = catalog.stepCount
      let found = try Self.walk(
        catalog, .state(tree: home, sequence: sequence), [PathPattern(pattern: pattern)], limit: 1000)
      #expect(found.count == count)
      return catalog.stepCount - before
    }
    let everything = try cost("/**/*.c", 2001)
    #expect(try cost("/z/*/*.c", 1) * 10 < everything)
    #expect(try cost("/a/d77/*.c", 20) * 10 < everything)
  }
}

/// What the arguments of a console select.
@Suite struct ChosenPathsTests {
  private func choose(_ arguments: [ByteString], _ catalog: any CatalogStore) throws -> ChosenPaths {
    try ChosenPaths(arguments, in: try TreeSelection.resolve(line("x"), catalog), catalog) { false }
  }

  @Test func aPathThatIsThereIsNoPattern() throws {
    let catalog = try emptyCatalog()
    try catalog.publishJob(["/f[1]", "/f1", "/d/", "/d/x"], of: home, ended: 5)
    func selected(_ arguments: [ByteString]) throws -> [ByteString] {
      let chosen = try choose(arguments, catalog)
      let source = SelectionSource.state(tree: home, sequence: 1)
      return try ListingWalkTests.walk(catalog, source, chosen.patterns, limit: 10)
    }
    #expect(try selected(["/f[1]", "/f[1]"]) == ["/f[1]"])
    #expect(try selected(["/f[12]", "/f[12]"]) == ["/f1"])
    #expect(try selected(["/d", "", "/f*", "/f*"]) == ["/d", "/f1", "/f[1]", "/d/x"])
    #expect(try selected(["/", ""]).count == 4 && selected([]).count == 4)
    #expect(throws: DirectorError.notInJob("/g", 1)) { try choose(["/f1", "", "/g", ""], catalog) }
    #expect(throws: DirectorError.nothingMatches("/g*", 1)) { try choose(["/f1", "", "/g*", "/g*"], catalog) }
    #expect(throws: ControlError.self) { try choose(["/f1"], catalog) }
    #expect(throws: DirectorError.interrupted) {
      try ChosenPaths(["/*/q", "/*/q"], in: try TreeSelection.resolve(line("x"), catalog), catalog) { true }
    }
  }

  @Test func aPatternsMatchesAreNotedForARestore() throws {
    let catalog = try emptyCatalog()
    try catalog.publishJob(["/d/", "/d/x.c", "/d/y", "/e.c/", "/e.c/z", "/f/", "/f/x"], of: home, ended: 5)
    let selection = try choose(["/**/*.c", "/**/*.c", "/f", ""], catalog).selection(catalog)
    guard case .noted(let number) = selection else {
      Issue.record("a pattern's matches are noted")
      return
    }
    func read(_ pass: SelectionPass) throws -> [(ByteString, Bool)] {
      var rows: [(ByteString, Bool)] = []
      _ = try catalog.readSelection(
        of: .state(tree: home, sequence: 1), selection, pass: pass, after: nil, limit: 100
      ) { rows.append(($0.directory.appending($0.entry.name).path, $0.leadsOnly)) }
      return rows
    }
    #expect(try read(.directories).map(\.0) == ["/d", "/e.c", "/f"])
    #expect(try read(.directories).map(\.1) == [true, false, false])
    #expect(try Set(read(.contents).map(\.0)) == ["/d/x.c", "/e.c/z", "/f/x"])
    try catalog.endSelection(number)
    #expect(try choose(["/f", ""], catalog).selection(catalog) == .paths(["/f"]))
  }

  @Test func oneFileForStandardOutput() throws {
    let catalog = try emptyCatalog()
    try catalog.publishJob(["/d/", "/d/x", "/e/", "/e/x", "/e/y", "/g/"], of: home, ended: 5)
    #expect(try choose(["/d/x", ""], catalog).onlyFile(catalog) == "/d/x")
    #expect(try choose(["/d/*", "/d/*"], catalog).onlyFile(catalog) == "/d/x")
    for arguments in [["/d", ""], ["/e/*", "/e/*"], ["/g", ""], []] as [[ByteString]] {
      #expect(throws: DirectorError.notOneFile) { try choose(arguments, catalog).onlyFile(catalog) }
    }
  }
}
