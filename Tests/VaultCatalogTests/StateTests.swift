import Testing
import VaultCatalog
import VaultModel

/// Reading states, directories and inodes, on every engine.
@Suite struct StateTests {
  private struct Refusal: Error {}

  /// Canonical order is no plain order of paths: `/a-c/d` < `/a.b` < `/a/b` there.
  @Test(arguments: CatalogEngine.allCases, [1, 2, 3, 100]) func canonicalOrder(engine: CatalogEngine, limit: Int) throws
  {
    try engine.withCatalog { catalog in
      let names: [ByteString] = [
        "/", "/a/b", "/a-c/d", "/a.b", "/a", "/a-c", "/a/b/c/d", "/a/b/c", ByteString([0x2f, 0xff]), "/a/b-",
        ByteString([0x2f, 0x0a]), ByteString([0x2f, 0x01]), ByteString([0x2f, 0xff, 0x2f, 0xff]),
      ]
      let job = try catalog.makeJob()
      try catalog.stage(job, names.map { ($0, .whole(directoryEntry(position($0).name))) })
      try catalog.publish(job)
      let expected = names.map { position($0) }.sorted()
      func places(_ rows: [StateRow]) -> [CanonicalPosition] {
        rows.map { CanonicalPosition(directory: $0.directory, name: $0.entry.name) }
      }
      #expect(places(try catalog.state(1, limit: limit)) == expected)
      #expect(
        places(try catalog.selection(.state(tree: tree, sequence: 1), [], .directories, limit: limit)) == expected)
      let next = try catalog.makeJob(.incremental, base: 1)
      try catalog.stage(next, names.prefix(5).map { ($0, .deletion) })
      try catalog.publish(next)
      #expect(places(try catalog.state(1, limit: limit)) == expected, "half of it from rows that ended")
      #expect(places(try catalog.state(2, limit: limit)) == names.dropFirst(5).map { position($0) }.sorted())
    }
  }

  @Test(arguments: CatalogEngine.allCases) func directoriesAreReadInPages(engine: CatalogEngine) throws {
    try engine.withCatalog { catalog in
      let job = try catalog.makeJob()
      let names = (0..<50).map { ByteString("f\($0)") }
      try catalog.stage(
        job,
        names.map { (ByteString("/d/\($0)"), .whole(directoryEntry($0))) }
          + [("/d/f1/in", .whole(directoryEntry("in"))), ("/d-", .whole(directoryEntry("d-")))])
      try catalog.publish(job)
      let next = try catalog.makeJob(.incremental, base: 1)
      try catalog.stage(next, [("/d/f3", .deletion), ("/d/f4", .whole(directoryEntry("f4", mode: 1)))])
      try catalog.publish(next)
      for (sequence, expected) in [(1, names), (2, names.filter { $0 != "f3" })] as [(UInt64, [ByteString])] {
        var found: [ByteString] = []
        var more = true
        while more {
          more = try catalog.readDirectory(
            of: .state(tree: tree, sequence: sequence), directory: key("/d"), after: found.last, limit: 7
          ) { found.append($0.entry.name) }
        }
        #expect(found == expected.sorted())
      }
      for missing in ["/none", "/d/f2"] as [ByteString] {
        #expect(
          try !catalog.readDirectory(of: .state(tree: tree, sequence: 2), directory: key(missing), after: nil, limit: 5)
          { _ in
            Issue.record("nothing is there")
          })
      }
    }
  }

  @Test(arguments: CatalogEngine.allCases) func aVisitorMayRefuse(engine: CatalogEngine) throws {
    try engine.withCatalog { catalog in
      let job = try catalog.makeJob()
      try catalog.stage(job, [("/a", .whole(directoryEntry("a"))), ("/b", .whole(directoryEntry("b")))])
      try catalog.publish(job)
      #expect(
        throwsKind(.callerFailed) {
          _ = try catalog.readState(of: tree, sequence: 1, after: nil, limit: 5) { _ in throw Refusal() }
        })
      #expect(try catalog.paths(1) == ["/a", "/b"])
      #expect(try !catalog.readState(of: tree, sequence: 1, after: nil, limit: 0) { _ in } || true)
    }
  }

  @Test(arguments: CatalogEngine.allCases) func contentIsKnownByInode(engine: CatalogEngine) throws {
    try engine.withCatalog { catalog in
      let job = try catalog.makeJob()
      let moved = fileEntry("old", inode: .max, size: 5)
      try catalog.stage(
        job,
        [
          ("/old", .sealed(moved, sealed(5))), ("/same", .sealed(fileEntry("same", inode: 8, size: 5), sealed(5))),
          ("/link", .whole(linkEntry("link", inode: 12))),
        ])
      let modified = moved.attributes.modified
      func ask(_ inode: UInt64, _ size: UInt64, device: UInt64 = 64768, time: FileTime? = nil) -> InodeQuestion {
        InodeQuestion(device: device, inode: inode, size: size, modified: time ?? modified)
      }
      #expect(try catalog.knownContents(of: tree, [ask(8, 5)]) == [nil], "not before publishing")
      try catalog.publish(job)
      let other = FileTime(seconds: modified.seconds, nanoseconds: 0)
      let answers = try catalog.knownContents(
        of: tree,
        [ask(.max, 5), ask(8, 5), ask(8, 6), ask(8, 5, device: 1), ask(8, 5, time: other), ask(12, 10), ask(99, 5)])
      #expect(
        answers == [
          .stored(ContentIdentifier(session: session(1), index: 1), sealed(5)),
          .stored(ContentIdentifier(session: session(1), index: 2), sealed(5)), nil, nil, nil, nil, nil,
        ])
      #expect(try catalog.knownContents(of: Tree(host: "no", name: ""), [ask(8, 5)]) == [nil])
      let next = try catalog.makeJob(.incremental, base: 1)
      try catalog.stage(next, [("/same", .deletion)])
      try catalog.publish(next)
      #expect(try catalog.knownContents(of: tree, [ask(8, 5)]) == [nil], "only current files count")
    }
  }
}
