import Testing
import VaultCatalog
import VaultModel

/// Groups and volumes, on every engine.
@Suite struct LocationTests {
  @Test(arguments: CatalogEngine.allCases) func contentsAreFoundInTheirGroups(engine: CatalogEngine) throws {
    try engine.withCatalog { catalog in
      let job = try catalog.makeJob()
      // Group 1: entries 1 to 4. Group 3: the rest of 4, and 5. Groups 4 to 6: entry 7 alone. Group 8: entry 9 on.
      let groups = [
        location(1, entry: 1, offset: 0), location(2, kind: .attributes, entry: 1, offset: 0),
        location(3, entry: 4, offset: 500), location(4, entry: 7, offset: 0), location(5, entry: 7, offset: 1000),
        location(6, entry: 7, offset: 2000), location(7, kind: .attributes, entry: 5, offset: 0),
        location(8, entry: 9, offset: 0),
      ]
      try catalog.stage(job, [], locations: groups.reversed())
      func find(_ index: UInt64, _ size: UInt64) throws -> [UInt64] {
        try catalog.locations(of: ContentIdentifier(session: session(1), index: index), size: size).map(\.group)
      }
      #expect(try find(1, 100) == [1] && find(3, 1) == [1])
      #expect(try find(4, 500) == [1] && find(4, 501) == [1, 3])
      #expect(try find(5, 9) == [3] && find(6, 9) == [3], "an entry between two groups' beginnings is in the first")
      #expect(try find(7, 1000) == [4] && find(7, 1001) == [4, 5] && find(7, .max) == [4, 5, 6])
      #expect(try find(7, 0).isEmpty && find(0, 9).isEmpty && find(.max, 9).isEmpty)
      #expect(try find(20, 9) == [8])
      #expect(try catalog.locations(of: ContentIdentifier(session: session(2), index: 1), size: 5).isEmpty)
      #expect(try catalog.locations(of: session(1), groups: 0...(.max)) == groups)
      #expect(try catalog.locations(of: session(1), groups: 2...4) == Array(groups[1...3]))
      #expect(try catalog.locations(of: session(3), groups: 2...4).isEmpty)
      try catalog.publish(job)
      #expect(try find(7, 1001) == [4, 5], "groups stay")
    }
  }

  @Test(arguments: CatalogEngine.allCases) func volumesAreReplacedByIdentifier(engine: CatalogEngine) throws {
    try engine.withCatalog { catalog in
      var second = Volume(
        identifier: UniqueIdentifier(high: .max, low: 9), name: "vol-0002", status: .append,
        end: BlockAddress(file: 1, block: 2), labeled: Timestamp(nanoseconds: .min))
      try catalog.recordVolume(second)
      try catalog.recordVolume(volumeA)
      #expect(try catalog.volumes() == [second, volumeA])
      second.status = .error
      // Of two ends the greater counts: sessions commit in any order.
      let before = second.end
      second.end = BlockAddress(block: 3)
      let job = try catalog.makeJob()
      try catalog.stageCommit(
        CommitHeader(number: 1, attempt: 1, volumes: [second]), of: job.description.number
      ) { _ in }
      second.end = before
      #expect(try catalog.volumes() == [second, volumeA])
      second.end = BlockAddress(file: 2, block: 1)
      try catalog.recordVolume(second)
      #expect(try catalog.volumes() == [second, volumeA])
    }
  }
}
