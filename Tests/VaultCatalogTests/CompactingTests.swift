import Testing
import VaultCatalog
import VaultModel

/// How much of a volume is needed, and what would be if jobs were dropped.
@Suite struct CompactingTests {
  private static let volume = Volume(
    identifier: UniqueIdentifier(high: 6, low: 1), name: "vol-0001", status: .append, end: BlockAddress(block: 100),
    labeled: Timestamp(nanoseconds: 1))

  /// Two fulls with a file each and a data and an attribute group each on one volume, and one that is not finished.
  private func makeCatalog(
    _ engine: CatalogEngine, _ status: JobStatus, _ body: (any CatalogStore) throws -> Void
  ) throws {
    try engine.withCatalog { catalog in
      try catalog.recordVolume(Self.volume)
      for number in 1...3 as ClosedRange<UInt64> {
        let job = try catalog.makeJob(.full)
        let header = CommitHeader(number: 1, attempt: 1, volumes: [])
        try catalog.stageCommit(header, of: job.description.number) { staging in
          let content = ContentIdentifier(session: job.description.session, index: 1)
          try staging.entry(
            index: 1, directory: try staging.directory(.root),
            Entry(
              name: "file", attributes: FileAttributes(type: .regular, mode: 0o600, inode: number, size: 9),
              content: .stored(
                content, SealedContent(size: 9, algorithm: .sha256, digest: Digest256(words: (1, 2, 3, number)))))
          )
          for group in 1...2 as ClosedRange<UInt64> {
            try staging.location(
              GroupLocation(
                group: group, kind: group == 1 ? .data : .attributes, firstEntry: 1, firstOffset: 0,
                volume: Self.volume.identifier, block: BlockAddress(block: UInt32(number * 10)), storedLength: 3000,
                rawLength: 4000))
          }
        }
        if number < 3 {
          try catalog.publish(job)
        } else {
          try catalog.endJob(job.description.number, outcome: catalog.outcome(status, 1))
        }
      }
      try body(catalog)
    }
  }

  @Test(arguments: CatalogEngine.allCases) func whatWouldBeNeeded(engine: CatalogEngine) throws {
    try makeCatalog(engine, .failed) { catalog in
      let now = Timestamp(nanoseconds: 5)
      let all = try #require(try catalog.volumeNeeds(ifDropping: [], at: now).first)
      #expect(
        all == VolumeNeed(volume: Self.volume, groupByteCount: 3 * 8192, jobCount: 3, isGoingOn: false, isNeeded: true))
      let without = try #require(try catalog.volumeNeeds(ifDropping: [1], at: now).first)
      #expect(without.groupByteCount == 2 * 8192 && without.jobCount == 2)
      let none = try #require(try catalog.volumeNeeds(ifDropping: [1, 2, 3], at: now).first)
      #expect(none.groupByteCount == 0 && none.jobCount == 0 && !none.isNeeded)
      #expect(throws: CatalogError.self) { try catalog.volumeNeeds(ifDropping: [9], at: now) }
      // Nothing of it happened.
      #expect(try catalog.jobs(of: nil).count == 3 && !catalog.isFreeing())
      #expect(try catalog.volumeNeeds(ifDropping: [], at: now) == [all])
      _ = try catalog.dropJobs([1], at: now)
      #expect(try catalog.volumeNeeds(ifDropping: [], at: now) == [without])
      #expect(
        try catalog.neededGroups(on: Self.volume.identifier, blocks: 0..<30)
          == [BlockGroup(block: 20, group: 1), BlockGroup(block: 20, group: 2)])
      #expect(try catalog.neededGroups(on: Self.volume.identifier, blocks: 0..<20).isEmpty)
    }
  }

  @Test(arguments: CatalogEngine.allCases) func aJobThatGoesOnIsKnown(engine: CatalogEngine) throws {
    try makeCatalog(engine, .incomplete) { catalog in
      let now = Timestamp(nanoseconds: 5)
      #expect(try catalog.volumeNeeds(ifDropping: [], at: now).map(\.isGoingOn) == [true])
      #expect(try catalog.volumeNeeds(ifDropping: [3], at: now).map(\.isGoingOn) == [false])
      let next = try catalog.makeJob(.full)
      try catalog.publish(next)
      #expect(try catalog.volumeNeeds(ifDropping: [], at: now).map(\.isGoingOn) == [false], "another came after it")
    }
  }
}
