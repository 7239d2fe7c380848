import Testing
import VaultCatalog
import VaultModel

/// Which volumes are needed for what entries refer to.
@Suite struct FreeingTests {
  private func volume(_ number: UInt64) -> Volume {
    Volume(
      identifier: UniqueIdentifier(high: 5, low: number), name: "vol-000\(number)", status: .full,
      end: BlockAddress(block: 9), labeled: Timestamp(nanoseconds: 1))
  }

  private func location(_ group: UInt64, _ kind: GroupKind, entry: UInt64, on number: UInt64) -> GroupLocation {
    GroupLocation(
      group: group, kind: kind, firstEntry: entry, firstOffset: 0, volume: volume(number).identifier,
      block: BlockAddress(block: UInt32(group)), storedLength: 100, rawLength: 200)
  }

  /// A full job whose entry carries a list of extended attributes on volume 1 and other attributes on volume 2, a job on
  /// volume 3 whose entry refers to that list, and a full on volume 4 of which only other names are.
  private func makeCatalog(_ engine: CatalogEngine, _ body: (any CatalogStore) throws -> Void) throws {
    try engine.withCatalog { catalog in
      for number in 1...4 as ClosedRange<UInt64> { try catalog.recordVolume(volume(number)) }
      let first = try catalog.makeJob()
      let list = ExtendedReference(
        carrier: ContentIdentifier(session: first.description.session, index: 1), byteCount: 10,
        digest: Digest256(words: (1, 2, 3, 4)))
      var entry = directoryEntry("a")
      entry.extended = list
      try stage(first, entry, 1, in: catalog) { staging in
        try staging.extendedAttributes(index: 1, group: 1)
        try staging.location(self.location(1, .attributes, entry: 1, on: 1))
        try staging.location(self.location(2, .attributes, entry: 2, on: 2))
      }
      let second = try catalog.makeJob(.full)
      var other = directoryEntry("b")
      other.extended = list
      try stage(second, other, 1, in: catalog) { staging in
        try staging.location(self.location(1, .attributes, entry: 1, on: 3))
      }
      try body(catalog)
    }
  }

  private func stage(
    _ job: JobRecord, _ entry: Entry, _ index: UInt64, in catalog: any CatalogStore,
    _ more: (any StagingTransaction) throws -> Void
  ) throws {
    try catalog.stageCommit(CommitHeader(number: 1, attempt: 1, volumes: []), of: job.description.number) { staging in
      try staging.entry(index: index, directory: try staging.directory(.root), entry)
      try more(staging)
    }
    try catalog.publish(job)
  }

  @Test(arguments: CatalogEngine.allCases) func listsOfExtendedAttributesKeepTheirVolume(engine: CatalogEngine) throws {
    try makeCatalog(engine) { catalog in
      _ = try catalog.dropJobs([1], at: Timestamp(nanoseconds: 1))
      #expect(try catalog.retentionMarks().trees.map(\.firstKept) == [2], "the second full says everything")
      #expect(try catalog.unneededVolumes().map(\.name) == ["vol-0002", "vol-0004"])
      #expect(try catalog.neededSessions().count == 2)
      try catalog.purgeVolumes(try catalog.unneededVolumes().map(\.identifier), recording: [])
      try catalog.finishFreeing()
      #expect(try catalog.volumes().map(\.name) == ["vol-0001", "vol-0003"])
      let entry = try #require(
        try catalog.entry(of: tree, sequence: 2, at: CanonicalPosition(directory: .root, name: "b")))
      let carrier = try #require(entry.extended?.carrier)
      #expect(try catalog.extendedLocations(of: carrier).map(\.group) == [1])
      var versions: [EntryVersion] = []
      _ = try catalog.readVersions(
        of: tree, at: CanonicalPosition(directory: .root, name: "b"), before: nil, limit: 9
      ) { versions.append($0) }
      #expect(versions.map(\.row.entry) == [entry])
    }
  }

  @Test(arguments: CatalogEngine.allCases) func nothingIsNeededForNothing(engine: CatalogEngine) throws {
    try makeCatalog(engine) { catalog in
      #expect(try catalog.unneededVolumes().map(\.name) == ["vol-0004"])
      _ = try catalog.dropJobs([1, 2], at: Timestamp(nanoseconds: 1))
      #expect(try catalog.unneededVolumes().count == 4)
      #expect(try catalog.neededSessions().isEmpty)
      #expect(try catalog.trees().isEmpty && catalog.jobs(of: nil).isEmpty)
    }
  }

  @Test(arguments: CatalogEngine.allCases) func undoneRowsComeBackWhole(engine: CatalogEngine) throws {
    try makeCatalog(engine) { catalog in
      let before = try catalog.state(1)
      _ = try catalog.dropJobs([2], at: Timestamp(nanoseconds: 1))
      let after = try catalog.state(1)
      #expect(after.map(\.entry) == before.map(\.entry) && after.map(\.first) == [1])
      #expect(after.first?.entry.extended != nil)
      #expect(try catalog.unneededVolumes().map(\.name) == ["vol-0003", "vol-0004"])
    }
  }
}
