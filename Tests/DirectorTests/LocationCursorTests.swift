import Testing
import VaultCatalog
import VaultModel

@testable import Director

/// The cursor answers as the catalog does, whatever is asked in whatever order.
@Suite struct LocationCursorTests {
  /// 6,000 data groups with an attribute group after each fifth: more than one window.
  private static let groupCount: UInt64 = 6000

  private func catalog() throws -> SQLiteCatalog {
    let catalog = try emptyCatalog()
    for _ in 0..<2 {
      let job = try catalog.makeJob(of: home)
      var locations: [GroupLocation] = []
      var number: UInt64 = 0
      for index in 0..<Self.groupCount {
        number += 1
        // Contents 3 n + 1 to 3 n + 3 lie in group n, but every seventh group goes on in content 3 n + 1 - 3.
        let isPart = index % 7 == 6
        // Content 3 n + 1 of every eleventh begins with a hole.
        let offset: UInt64 = isPart ? 1_000_000 : index % 11 == 3 ? 50 : 0
        locations.append(location(number, entry: 3 * index + 1 - (isPart ? 3 : 0), offset: offset))
        if index % 5 == 4 {
          number += 1
          locations.append(location(number, entry: 3 * index + 1, kind: .attributes))
        }
      }
      try catalog.stage([], locations: locations, in: job)
    }
    return catalog
  }

  private func expectSame(_ wanted: [(ContentIdentifier, UInt64)]) throws {
    let catalog = try catalog()
    var cursor = LocationCursor(catalog: catalog)
    for (content, size) in wanted {
      let found = try cursor.locations(of: content, size: size)
      #expect(try found == (size == 0 ? [] : catalog.locations(of: content, size: size)), "\(content) \(size)")
    }
  }

  @Test func contentsInOrder() throws {
    let contents = stride(from: 1, to: 3 * Self.groupCount, by: 41).map {
      ContentIdentifier(session: session(1), index: $0)
    }
    try expectSame(contents.map { ($0, 100) })
  }

  @Test func contentsOfSeveralGroups() throws {
    let contents = stride(from: 1, to: 3 * Self.groupCount, by: 50).map {
      ContentIdentifier(session: session(1), index: $0)
    }
    try expectSame(contents.map { ($0, 1_500_000) })
  }

  @Test func contentsBackwardsAndAcrossSessions() throws {
    let indexes = [17_999, 5, 1, 12_288, 12_289, 12_290, 4, 17_000, 1] as [UInt64]
    try expectSame(
      indexes.flatMap { index in
        [1, 2].map { (ContentIdentifier(session: session($0), index: index), index % 2 == 0 ? 1 : 2_000_000) }
      })
  }

  @Test func whatNobodyCarriedIsNowhere() throws {
    try expectSame([
      (ContentIdentifier(session: session(1), index: 7), 0), (ContentIdentifier(session: session(99), index: 7), 10),
      (ContentIdentifier(session: session(1), index: 0), 10), (ContentIdentifier(session: session(1), index: 8), 10),
    ])
  }

  /// A job was interrupted inside content 5, and new files came before it when it went on.
  @Test func aContentOnBothSidesOfOthers() throws {
    let catalog = try emptyCatalog()
    let job = try catalog.makeJob(of: home)
    try catalog.stage(
      [],
      locations: [
        location(1, entry: 1, offset: 0), location(2, entry: 5, offset: 0), location(3, entry: 8, offset: 0),
        location(4, entry: 5, offset: 983_016), location(5, entry: 5, offset: 1_966_032),
        location(6, entry: 12, offset: 0),
      ], in: job)
    for order in [[1, 5, 8, 12], [8, 5, 12], [12, 1, 8, 5]] as [[UInt64]] {
      var cursor = LocationCursor(catalog: catalog)
      for index in order {
        let found = try cursor.locations(
          of: ContentIdentifier(session: session(1), index: index), size: index == 5 ? 3_000_000 : 10)
        let wanted: [UInt64] = index == 5 ? [2, 4, 5] : [index == 1 ? 1 : index == 8 ? 3 : 6]
        #expect(found.map(\.group) == wanted, "content \(index)")
      }
    }
  }
}
