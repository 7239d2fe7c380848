import Testing
import VaultCatalog
import VaultModel

/// What a restore reads, on every engine.
@Suite struct SelectionTests {
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

  @Test(arguments: CatalogEngine.allCases, [1, 3, 100]) func everything(engine: CatalogEngine, limit: Int) throws {
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
    arguments: CatalogEngine.allCases,
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

  @Test(arguments: CatalogEngine.allCases) func aRestoreOutlivesThePublishingOfANewerJob(engine: CatalogEngine) throws {
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
      // More selections than may wait push the first one out; it is made again.
      for number in 0..<6 {
        _ = try catalog.readSelection(
          of: source, .paths(["/b", ByteString("/\(number)")]), pass: .contents, after: nil, limit: 1
        ) { _ in }
      }
      while let place = cursor {
        cursor = try catalog.readSelection(of: source, .paths([]), pass: .contents, after: place, limit: 2) {
          rows.append($0)
        }
      }
      #expect(rows.map(\.entry) == expected.map(\.entry))
    }
  }

  /// Sorted rows are not logged: after a crash of the server their table is empty.
  @Test(arguments: [1, 4, 100]) func rowsThatTheServerLostAreMadeAgain(limit: Int) throws {
    let server = try TestServer.shared.get()
    let schema = server.newSchema()
    let catalog = try server.open(schema: schema)
    try fill(catalog)
    let source = SelectionSource.state(tree: tree, sequence: 2)
    let expected = try catalog.selection(source, [], .contents)
    var rows: [StateRow] = []
    var cursor: SelectionCursor?
    repeat {
      cursor = try catalog.readSelection(of: source, .paths([]), pass: .contents, after: cursor, limit: limit) {
        rows.append($0)
      }
      _ = try server.sql("TRUNCATE \(schema).selection_row")
    } while cursor != nil
    #expect(rows.map(\.entry) == expected.map(\.entry))

    // Rows that are not the same ones would be read from a place that is none.
    cursor = try catalog.readSelection(of: source, .paths([]), pass: .contents, after: nil, limit: 2) { _ in }
    _ = try server.sql("TRUNCATE \(schema).selection_row; DELETE FROM \(schema).entry_current WHERE name = 'new'")
    #expect(
      throwsKind(.notFound) {
        _ = try catalog.readSelection(of: source, .paths([]), pass: .contents, after: cursor, limit: 2) { _ in }
      })
    try catalog.close()
  }

  @Test(arguments: CatalogEngine.allCases) func whatAJobStagedCanBeRestored(engine: CatalogEngine) throws {
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
  @Test(arguments: CatalogEngine.allCases, [1, 2, 50]) func notedPlaces(engine: CatalogEngine, limit: Int) throws {
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

  @Test(arguments: CatalogEngine.allCases) func directoriesComeInOrderFromAKeyOn(engine: CatalogEngine) throws {
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
  @Test(arguments: CatalogEngine.allCases) func linksOfOneFileAreTogether(engine: CatalogEngine) throws {
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
