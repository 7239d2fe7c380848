import Testing
import VaultCatalog
import VaultModel

/// Commits, replays and where a job goes on, on every engine.
@Suite struct StagingTests {
  private struct Refusal: Error {}

  @Test(arguments: CatalogEngine.allCases) func everyKindOfEntryComesBackAsItWas(engine: CatalogEngine) throws {
    try engine.withCatalog { catalog in
      let job = try catalog.makeJob()
      let odd = ByteString([0xff, 0x0a, 0x20, 0x27])
      let extents = [
        Extent(session: session(8), group: 5, rawOffset: 24, length: 960, fileOffset: 0),
        Extent(session: session(9), group: .max, rawOffset: .max, length: .max, fileOffset: .max),
      ]
      var device = Entry(name: "tty", attributes: FileAttributes(type: .characterDevice, mode: 0o620))
      device.attributes.specialDevice = 0xffff_ffff_ffff_ffff
      var extreme = fileEntry("extreme", inode: .max, size: .max)
      extreme.attributes.device = .max
      extreme.attributes.mode = .max
      extreme.attributes.linkCount = .max
      extreme.attributes.modified = FileTime(seconds: .min, nanoseconds: 0)
      extreme.attributes.accessed = FileTime(seconds: .max, nanoseconds: .max)
      let reference = ContentReference.stored(
        ContentIdentifier(session: session(77), index: 12), sealed(.max, flags: [.racy, .partial]))
      let whole: [Entry] = [
        device, directoryEntry("home"), fileEntry("hole", content: .extents([], sealed(5))), linkEntry(odd),
        fileEntry("other", content: reference), fileEntry("pieces", content: .extents(extents, sealed(7))),
      ]
      let seal = sealed(5, digest: .max, flags: .changedWhileReading)
      try catalog.stage(
        job,
        [(ByteString("/extreme"), Staged.sealed(extreme, seal))]
          + whole.map { (key("/").appending($0.name).path, Staged.whole($0)) })
      try catalog.publish(job)
      extreme.content = .stored(ContentIdentifier(session: session(1), index: 1), seal)
      let expected = (whole + [extreme]).sorted { $0.name < $1.name }
      let found = try catalog.state(1)
      #expect(found.map(\.entry) == expected)
      #expect(found.allSatisfy { $0.first == 1 && $0.directory == .root })
      for entry in expected {
        let place = CanonicalPosition(directory: .root, name: entry.name)
        #expect(try catalog.entry(of: tree, sequence: 1, at: place) == entry)
      }
      #expect(try catalog.entry(of: tree, sequence: 1, at: position("/ext")) == nil)
    }
  }

  @Test(arguments: CatalogEngine.allCases) func aReplayedCommitIsIgnored(engine: CatalogEngine) throws {
    try engine.withCatalog { catalog in
      let job = try catalog.makeJob()
      try catalog.stage(job, commit: 3, [("/a", .whole(directoryEntry("a")))])
      #expect(try catalog.job(number: 1)?.lastCommit == 3 && catalog.job(number: 1)?.status == .running)
      for number in [1, 2, 3] as [UInt64] {
        var called = false
        try catalog.stageCommit(CommitHeader(number: number, attempt: 9, volumes: []), of: 1) { _ in called = true }
        #expect(!called)
      }
      #expect(try catalog.job(number: 1)?.attempt == 1)
      try catalog.stage(job, commit: 4, index: 2, [("/a", .whole(directoryEntry("a", mode: 0o700)))])
      try catalog.publish(job)
      #expect(try catalog.state(1).map(\.entry.attributes.mode) == [0o700])
      #expect(throwsKind(.conflict) { try catalog.stage(job, commit: 5, []) })
      try catalog.stage(job, commit: 4, [])
    }
  }

  @Test(arguments: CatalogEngine.allCases) func aCommitThatFailsChangesNothing(engine: CatalogEngine) throws {
    try engine.withCatalog { catalog in
      let job = try catalog.makeJob()
      var kept: (any StagingTransaction)?
      #expect(
        throwsKind(.callerFailed) {
          try catalog.stageCommit(CommitHeader(number: 1, attempt: 1, volumes: [volumeA]), of: 1) { staging in
            kept = staging
            let directory = try staging.directory(key("/x"))
            try staging.entry(
              index: 1, directory: directory,
              fileEntry("f", content: .stored(ContentIdentifier(session: session(33), index: 1), sealed())))
            throw Refusal()
          }
        })
      #expect(throwsKind(.closed) { _ = try kept?.directory(.root) })
      #expect(try catalog.job(number: 1) == job)
      #expect(try catalog.volumes().isEmpty)
      // The session and directory numbers of the failed commit must not be remembered.
      let entry = fileEntry("f", content: .stored(ContentIdentifier(session: session(33), index: 1), sealed()))
      try catalog.stage(job, [("/x/f", .whole(entry))])
      try catalog.publish(job)
      #expect(try catalog.state(1).map(\.entry) == [entry])
    }
  }

  @Test(arguments: CatalogEngine.allCases) func whatIsWrongIsRefused(engine: CatalogEngine) throws {
    try engine.withCatalog { catalog in
      let job = try catalog.makeJob()
      let other = try catalog.makeJob(of: Tree(host: "other", name: "x"))
      var foreign: DirectoryNumber = 0
      try catalog.stageCommit(CommitHeader(number: 1, attempt: 1, volumes: []), of: other.description.number) {
        foreign = try $0.directory(key("/mine"))
      }
      func refused(_ kind: CatalogError.Kind, _ body: @escaping (any StagingTransaction) throws -> Void) -> Bool {
        throwsKind(kind) {
          try catalog.stageCommit(CommitHeader(number: 1, attempt: 1, volumes: []), of: job.description.number, body)
        }
      }
      #expect(refused(.notFound) { try $0.deletion(directory: foreign, name: "a") })
      #expect(refused(.notFound) { try $0.deletion(directory: 0, name: "a") })
      #expect(
        refused(.notFound) {
          _ = try $0.directory(.root)
          try $0.deletion(directory: foreign, name: "a")
        })
      #expect(refused(.notFound) { try $0.seal(index: 4, sealed()) })
      #expect(refused(.outOfRange) { try $0.entry(index: .max, directory: $0.directory(.root), fileEntry("a")) })
      let lost = location(1, entry: 1, offset: 0)
      #expect(refused(.notFound) { try $0.location(lost) })
      #expect(
        throwsKind(.notFound) {
          try catalog.stageCommit(CommitHeader(number: 1, attempt: 1, volumes: []), of: 99) { _ in }
        })
    }
  }

  @Test(arguments: CatalogEngine.allCases) func sealsMayComeLate(engine: CatalogEngine) throws {
    try engine.withCatalog { catalog in
      let job = try catalog.makeJob()
      // More entries than may wait for a seal, sealed backwards; and one that the next commit seals.
      let count: UInt64 = 5000
      try catalog.stageCommit(CommitHeader(number: 1, attempt: 1, volumes: []), of: 1) { staging in
        let directory = try staging.directory(key("/d"))
        for index in 1...count {
          try staging.entry(index: index, directory: directory, fileEntry(ByteString("f\(index)"), inode: index))
        }
        for index in (2...count).reversed() { try staging.seal(index: index, sealed(index, digest: index)) }
      }
      var staged = 0
      #expect(try !catalog.readStaged(of: 1, after: nil, limit: 10_000) { _ in staged += 1 })
      #expect(staged == Int(count) - 1)
      try catalog.stageCommit(CommitHeader(number: 2, attempt: 1, volumes: []), of: 1) { staging in
        try staging.seal(index: 1, sealed(1, digest: 1))
      }
      try catalog.publish(job)
      let rows = try catalog.state(1)
      #expect(rows.count == Int(count))
      for row in rows {
        let index = row.entry.attributes.inode
        #expect(row.entry.name == ByteString("f\(index)"))
        #expect(
          row.entry.content
            == .stored(ContentIdentifier(session: session(1), index: index), sealed(index, digest: index)))
      }
    }
  }

  @Test(arguments: CatalogEngine.allCases) func problemsAreKept(engine: CatalogEngine) throws {
    try engine.withCatalog { catalog in
      let job = try catalog.makeJob()
      try catalog.stage(job, [], problems: [("/b/x", .open), ("/a", .missing)])
      try catalog.stage(job, commit: 2, [], problems: [("/a/y", .list)])
      let found = try catalog.problems(of: 1, after: 0, limit: 10)
      #expect(found.map { $0.directory.appending($0.name).path } == ["/b/x", "/a", "/a/y"])
      #expect(found.map(\.phase) == [.open, .missing, .list] && found.allSatisfy { $0.errorNumber == 13 })
      try catalog.publish(job)
      #expect(try catalog.problems(of: 1, after: 1, limit: 1).map(\.name) == [found[1].name])
      #expect(try catalog.problems(of: 1, after: 2, limit: 10).map(\.name) == [found[2].name])
      #expect(try catalog.problems(of: 1, after: 3, limit: 10).isEmpty)
      #expect(try catalog.problems(of: 2, after: 0, limit: 10).isEmpty)
    }
  }

  @Test(arguments: CatalogEngine.allCases) func stagedRowsAreReadInOrder(engine: CatalogEngine) throws {
    try engine.withCatalog { catalog in
      let job = try catalog.makeJob()
      try catalog.stage(
        job,
        [
          ("/a", .whole(directoryEntry("a"))), ("/a-c", .whole(directoryEntry("a-c"))),
          ("/a/b", .sealed(fileEntry("b"), sealed())), ("/a-c/d", .unsealed(fileEntry("d"))),
          ("/a/gone", .deletion), ("/a.b", .sealed(fileEntry("a.b"), sealed())),
        ])
      var rows: [StateRow] = []
      var more = true
      while more {
        let last = rows.last.map { CanonicalPosition(directory: $0.directory, name: $0.entry.name) }
        more = try catalog.readStaged(of: 1, after: last, limit: 1) { rows.append($0) }
      }
      #expect(rows.map { path(of: $0) } == ["/a", "/a-c", "/a.b", "/a/b"])
      #expect(rows.allSatisfy { $0.first == 1 })
      #expect(throwsKind(.notFound) { _ = try catalog.readStaged(of: 7, after: nil, limit: 1) { _ in } })
    }
  }
}

func location(
  _ group: UInt64, kind: GroupKind = .data, entry: UInt64, offset: UInt64, raw: UInt32 = 1024
) -> GroupLocation {
  GroupLocation(
    group: group, kind: kind, firstEntry: entry, firstOffset: offset, volume: volumeA.identifier,
    block: BlockAddress(file: 2, block: UInt32(group)), storedLength: 500 + UInt32(group), rawLength: raw)
}
