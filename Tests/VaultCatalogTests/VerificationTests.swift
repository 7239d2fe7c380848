import Testing
import VaultCatalog
import VaultModel

/// What a verification asks of the catalog, on every engine.
@Suite struct VerificationTests {
  private func content(_ number: UInt64, _ index: UInt64, size: UInt64 = 100) -> ContentReference {
    .stored(ContentIdentifier(session: session(number), index: index), sealed(size, digest: index))
  }

  @Test(arguments: CatalogEngine.allCases) func groupsAreFoundByTheirPlace(engine: CatalogEngine) throws {
    try engine.withCatalog { catalog in
      let job = try catalog.makeJob()
      var groups = (1...4).map { location(UInt64($0), entry: UInt64($0), offset: 0) }
      for (index, block) in [7, 3, 3, 9].enumerated() { groups[index].block = BlockAddress(block: UInt32(block)) }
      try catalog.stage(job, [], locations: groups)
      func find(_ blocks: Range<UInt32>) throws -> [UInt64] {
        let found = try catalog.locations(on: volumeA.identifier, blocks: blocks)
        #expect(found.allSatisfy { $0.session == session(1) && groups.contains($0.location) })
        return found.map(\.location.group)
      }
      #expect(try find(0..<100) == [2, 3, 1, 4])
      #expect(try find(3..<7) == [2, 3] && find(4..<7).isEmpty && find(9..<10) == [4] && find(5..<5).isEmpty)
      #expect(try catalog.locations(on: session(5), blocks: 0..<100).isEmpty)
    }
  }

  @Test(arguments: CatalogEngine.allCases) func aGroupsContentsAreARange(engine: CatalogEngine) throws {
    try engine.withCatalog { catalog in
      let job = try catalog.makeJob()
      try catalog.stage(
        job, [],
        locations: [
          location(1, entry: 1, offset: 0), location(2, kind: .attributes, entry: 1, offset: 0),
          location(3, entry: 4, offset: 0), location(4, entry: 7, offset: 0), location(5, entry: 7, offset: 1000),
          location(6, entry: 9, offset: 0),
        ])
      func contents(_ group: UInt64) throws -> ClosedRange<UInt64>? {
        try catalog.contents(ofGroup: group, of: session(1))
      }
      #expect(try contents(1) == 1...3 && contents(3) == 4...6)
      #expect(
        try contents(4) == 7...7 && contents(5) == 7...8, "what begins behind a long content may share its last group")
      #expect(try contents(6) == 9...UInt64(Int64.max))
      #expect(try contents(7) == nil)
      #expect(try catalog.contents(ofGroup: 1, of: session(2)) == nil)
    }
  }

  /// Job 1 saves a, b and an empty file; job 2 changes a and links b; job 3 is not published.
  private func makeHistory(_ catalog: any CatalogStore) throws {
    let first = try catalog.makeJob()
    try catalog.stage(
      first,
      [
        ("/d", .whole(directoryEntry("d"))), ("/d/a", .sealed(fileEntry("a"), sealed(10))),
        ("/d/b", .sealed(fileEntry("b"), sealed(20))), ("/d/empty", .sealed(fileEntry("empty"), sealed(0))),
      ])
    try catalog.publish(first)
    let second = try catalog.makeJob(.incremental, base: 1)
    try catalog.stage(
      second,
      [
        ("/d/a", .sealed(fileEntry("a", size: 11), sealed(11))),
        ("/d/link", .whole(fileEntry("link", content: content(1, 3, size: 20)))),
      ])
    try catalog.publish(second)
    let third = try catalog.makeJob(.incremental, base: 2)
    try catalog.stage(
      third, [("/d/c", .sealed(fileEntry("c"), sealed(30))), ("/d/open", .unsealed(fileEntry("open")))])
  }

  @Test(arguments: CatalogEngine.allCases) func everyContentComesOnce(engine: CatalogEngine) throws {
    try engine.withCatalog { catalog in
      try makeHistory(catalog)
      for limit in [1, 2, 100] {
        let rows = try catalog.selection(.everyContent, [], .contents, limit: limit)
        let found = rows.compactMap { row -> ContentIdentifier? in
          guard case .stored(let content, _) = row.entry.content else { return nil }
          return content
        }
        let expected = [(1, 2), (1, 3), (1, 4), (2, 1), (3, 1)] as [(UInt64, UInt64)]
        #expect(found == expected.map { ContentIdentifier(session: session($0.0), index: $0.1) })
      }
      #expect(try catalog.selection(.everyContent, [], .directories).isEmpty)
    }
  }

  @Test(arguments: CatalogEngine.allCases) func damageCostsEveryVersionThatHasIt(engine: CatalogEngine) throws {
    try engine.withCatalog { catalog in
      try makeHistory(catalog)
      func affected(_ damaged: [DamagedContents], limit: Int = 2) throws -> [String] {
        try catalog.findAffected(damaged)
        var found: [String] = []
        var row: Int64? = 0
        while let after = row {
          row = try catalog.readAffected(after: after, limit: limit) { entry in
            #expect(entry.tree == tree)
            let last = entry.last.map { String($0) } ?? ""
            found.append("\(entry.damage) \(entry.path) \(entry.size) \(entry.first)-\(last)")
          }
        }
        return found
      }
      let all = DamagedContents(damage: 4, session: session(1), indexes: 1...(.max))
      for limit in [1, 2, 50] {
        #expect(
          try affected([all], limit: limit).sorted() == ["4 /d/a 10 1-2", "4 /d/b 20 1-", "4 /d/link 20 2-"],
          "an empty file cannot be lost")
      }
      #expect(
        try affected([
          DamagedContents(damage: 1, session: session(3), indexes: 1...1),
          DamagedContents(damage: 0, session: session(2), indexes: 1...1),
          DamagedContents(damage: 2, session: session(77), indexes: 0...(.max)),
        ]) == ["0 /d/a 11 2-", "1 /d/c 30 3-4"])
      #expect(try affected([]).isEmpty)
    }
  }

  @Test func aTemporaryCatalogIsLikeAnyOther() throws {
    let catalog = try SQLiteCatalog.temporary(newRepository: CatalogEngine.repository)
    try makeHistory(catalog)
    #expect(catalog.repository == CatalogEngine.repository)
    #expect(try catalog.paths(2) == ["/d", "/d/a", "/d/b", "/d/empty", "/d/link"])
    try catalog.close()
  }
}
