import Testing
import VaultCatalog
import VaultModel

/// Extended attributes, inode flags and owners' names in the catalog.
@Suite struct AttributeTests {
  private static func location(_ group: UInt64, _ kind: GroupKind) -> GroupLocation {
    GroupLocation(
      group: group, kind: kind, firstEntry: 1, firstOffset: 0, volume: volumeA.identifier,
      block: BlockAddress(block: UInt32(group)), storedLength: 500, rawLength: 600)
  }

  @Test(arguments: CatalogEngine.allCases) func referencesComeBackHoweverTheRowIsWritten(engine: CatalogEngine) throws {
    try engine.withCatalog { catalog in
      var file = fileEntry("file")
      file.extended = extended(7)
      file.attributes.inodeFlags = [.immutable, .noDump]
      var directory = directoryEntry("dir")
      directory.extended = extended(8)
      var link = linkEntry("link")
      link.extended = extended(9)
      let job = try catalog.makeJob()
      // The seal of a file comes with a later commit, that of another with the same.
      try catalog.stageCommit(
        CommitHeader(number: 1, attempt: 1, volumes: [volumeA]), of: job.description.number
      ) { staging in
        let root = try staging.directory(.root)
        try staging.entry(index: 1, directory: root, directory)
        try staging.entry(index: 2, directory: root, file)
        try staging.entry(index: 3, directory: root, link)
      }
      try catalog.stageCommit(
        CommitHeader(number: 2, attempt: 1, volumes: []), of: job.description.number
      ) { staging in try staging.seal(index: 2, sealed()) }
      try catalog.publish(job)
      file.content = .stored(ContentIdentifier(session: job.description.session, index: 2), sealed())
      let expected = [directory, file, link]
      #expect(try catalog.state(1).map(\.entry) == expected)
      let rows = try catalog.selection(.state(tree: tree, sequence: 1), [], .contents)
      #expect(Set(rows.map(\.entry)) == [file, link])
    }
  }

  @Test(arguments: CatalogEngine.allCases) func anEqualListElsewhereMakesNoNewRow(engine: CatalogEngine) throws {
    try engine.withCatalog { catalog in
      func publish(_ reference: ExtendedReference?) throws -> StateRow? {
        var entry = directoryEntry("dir")
        entry.extended = reference
        let job = try catalog.makeJob()
        try catalog.stage(job, [("/dir", .whole(entry))])
        try catalog.publish(job)
        return try catalog.state(job.description.sequence).first
      }
      #expect(try publish(extended(1, digest: 5))?.first == 1)
      // Another place, the same list: the first row goes on, and with it the place that it names.
      let kept = try publish(extended(2, digest: 5))
      #expect(kept?.first == 1 && kept?.entry.extended == extended(1, digest: 5))
      let changed = try publish(extended(2, digest: 6))
      #expect(changed?.first == 3 && changed?.entry.extended == extended(2, digest: 6))
      let without = try publish(nil)
      #expect(without?.first == 4 && without?.entry.extended == nil)
    }
  }

  @Test(arguments: CatalogEngine.allCases) func listsAreFoundInTheirGroups(engine: CatalogEngine) throws {
    try engine.withCatalog { catalog in
      let job = try catalog.makeJob()
      try catalog.stageCommit(
        CommitHeader(number: 1, attempt: 1, volumes: [volumeA]), of: job.description.number
      ) { staging in
        for (group, kind) in [(1, .attributes), (2, .data), (3, .attributes), (4, .attributes)] as [(UInt64, GroupKind)]
        {
          try staging.location(Self.location(group, kind))
        }
        // Entry 5 goes over three groups, one of which is another's data; entry 6 lies in the last.
        for group in [1, 1, 3] as [UInt64] { try staging.extendedAttributes(index: 5, group: group) }
        try staging.extendedAttributes(index: 6, group: 4)
      }
      func groups(_ index: UInt64, _ session: UniqueIdentifier) throws -> [UInt64] {
        try catalog.extendedLocations(of: ContentIdentifier(session: session, index: index)).map(\.group)
      }
      #expect(try groups(5, job.description.session) == [1, 3])
      #expect(try groups(6, job.description.session) == [4])
      #expect(try groups(7, job.description.session).isEmpty)
      #expect(try groups(5, session(77)).isEmpty)
      #expect(try groups(.max, job.description.session).isEmpty)
    }
  }

  @Test(arguments: CatalogEngine.allCases) func namesAreThoseOfTheirTime(engine: CatalogEngine) throws {
    try engine.withCatalog { catalog in
      let other = Tree(host: "b", name: "y")
      let names: [(tree: Tree, name: ByteString)] = [
        (tree, "bob"), (tree, "bob"), (other, "eve"), (tree, ""), (tree, ByteString([0xff])),
      ]
      for (tree, name) in names {
        let job = try catalog.makeJob(of: tree)
        try catalog.stageCommit(
          CommitHeader(number: 1, attempt: 1, volumes: []), of: job.description.number
        ) { staging in
          try staging.ownerName(kind: .user, number: 1000, name: name)
          try staging.ownerName(kind: .group, number: 7, name: "")
        }
      }
      func name(_ sequence: UInt64, _ kind: OwnerKind = .user, _ number: UInt32 = 1000, of wanted: Tree = tree) throws
        -> ByteString?
      { try catalog.ownerName(of: wanted, sequence: sequence, kind: kind, number: number) }
      #expect(
        try [1, 2, 3, 4, 5, 99].map { try name($0) } == [
          "bob", "bob", "bob", nil, ByteString([0xff]), ByteString([0xff]),
        ])
      #expect(try name(3, of: other) == "eve")
      #expect(try name(2, of: other) == nil)
      #expect(try name(5, .group) == nil)
      #expect(try name(5, .group, 7) == nil)
      #expect(try name(5, .user, .max) == nil)
    }
  }
}
