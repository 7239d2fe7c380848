import Testing
import VaultModel
import VaultProtocol

@testable import FileDaemon

/// Which groups one batch of a restore's plan is fetched for.
@Suite struct BatchContentsTests {
  private static let large = UInt64(GroupLimits.contentDataLimit) + 1
  private static let other = UniqueIdentifier(high: 1, low: 1)

  private static func row(_ name: ByteString, _ content: ContentReference, inode: UInt64 = 1, links: UInt32 = 1)
    -> PlanBatch.Row
  {
    PlanBatch.Row(
      saved: "/d", directory: "/d",
      entry: Entry(name: name, attributes: regular(5, inode: inode, links: links), content: content))
  }

  private static func contents(
    _ rows: [PlanBatch.Row], _ locations: [GroupLocation], more: [PlanBatch.SessionLocations] = []
  ) -> BatchContents {
    BatchContents(rows: rows, locations: [PlanBatch.SessionLocations(session: session, locations: locations)] + more) {
      $0.size == 0 || $0.algorithm == .sha256OfExtents
    }
  }

  private static func whole(_ fetch: BatchContents.Fetch) -> [UInt64]? {
    guard case .whole(let items) = fetch.purpose else { return nil }
    return items.keys.sorted()
  }

  private static func part(_ fetch: BatchContents.Fetch) -> [Bool]? {
    guard case .part(_, let isFirst, let isLast) = fetch.purpose else { return nil }
    return [isFirst, isLast]
  }

  @Test func smallContentsShareTheirGroup() {
    let rows = [1, 2, 5, 9].map { Self.row(ByteString("f\($0)"), stored($0, size: 10)) }
    let contents = Self.contents(rows, [group(1, entry: 1), group(2, entry: 4), group(3, entry: 9)])
    #expect(contents.fetches.map(\.location.group) == [1, 2, 3])
    #expect(contents.fetches.map(Self.whole) == [[1, 2], [5], [9]])
    #expect(contents.items.count == 4 && contents.withoutData.isEmpty)
  }

  @Test func aLargeContentIsItsParts() {
    let rows = [
      Self.row("a", stored(1, size: 10)), Self.row("b", stored(2, size: Self.large)),
      Self.row("c", stored(3, size: 10)),
    ]
    let locations = [group(1, entry: 1), group(2, entry: 2), group(3, entry: 2, offset: 983_016), group(4, entry: 3)]
    let contents = Self.contents(rows, locations)
    #expect(contents.fetches.map(\.location.group) == [1, 2, 3, 4])
    #expect(contents.fetches.map(Self.whole) == [[1], nil, nil, [3]])
    #expect(contents.fetches.map(Self.part) == [nil, [true, false], [false, true], nil])
  }

  @Test func namesOfOneFileAreOneLinkGroup() {
    let rows = [
      Self.row("a", stored(1, size: 5), inode: 7, links: 2), Self.row("b", stored(1, size: 5), inode: 7, links: 2),
      Self.row("c", stored(1, size: 5), inode: 8), Self.row("d", stored(2, size: 5), inode: 8),
    ]
    let contents = Self.contents(rows, [group(1, entry: 1)])
    #expect(contents.items.map { $0.groups.map { $0.rows.map(\.entry.name) } } == [[["a", "b"], ["c"]], [["d"]]])
    #expect(contents.fetches.map(Self.whole) == [[1, 2]])
  }

  /// A reboot may give a device another number, and a name that was saved before keeps the old one.
  @Test func namesFromBeforeAndAfterADeviceWasRenumberedAreOne() {
    let before = Self.row("a", stored(1, size: 5), inode: 7, links: 2)
    var after = Self.row("b", stored(1, size: 5), inode: 7, links: 2)
    after.entry.attributes.device += 1
    var other = after
    other.entry.attributes.changed.nanoseconds -= 1
    #expect(after.isLink(of: before) && !other.isLink(of: before))
    var (link, node) = (after, before)
    (link.entry.content, node.entry.content) = (.none, .none)
    #expect(!link.isLink(of: node), "without a content there is less to go by")
  }

  @Test func aLargeContentIsReadOnceForEachFileThatHasIt() {
    let rows = [
      Self.row("a", stored(1, size: Self.large), inode: 7), Self.row("b", stored(1, size: Self.large), inode: 8),
    ]
    let contents = Self.contents(rows, [group(1, entry: 1), group(2, entry: 1, offset: 983_016)])
    #expect(contents.items.count == 2)
    #expect(contents.fetches.map(\.location.group) == [1, 2, 1, 2])
    #expect(contents.fetches.map(Self.part) == [[true, false], [false, true], [true, false], [false, true]])
  }

  @Test func everySessionHasItsOwnGroups() {
    let rows = [Self.row("a", stored(4, size: 5)), Self.row("b", stored(4, size: 5, session: Self.other))]
    let more = [PlanBatch.SessionLocations(session: Self.other, locations: [group(9, entry: 3)])]
    let contents = Self.contents(rows, [group(1, entry: 4)], more: more)
    #expect(contents.fetches.map(\.session) == [session, Self.other])
    #expect(contents.fetches.map(\.location.group) == [1, 9])
  }

  @Test func whatHasNoBytesOrNoGroupIsNotFetched() {
    let rows = [
      Self.row("none", .none), Self.row("empty", stored(1, size: 0)), Self.row("before", stored(2, size: 5)),
      Self.row("lost", stored(5, size: 5, session: Self.other)),
      Self.row("lost too", stored(6, size: Self.large, session: Self.other)),
    ]
    let contents = Self.contents(rows, [group(3, entry: 3)])
    #expect(contents.fetches.isEmpty)
    #expect(contents.items.count == 4, "whoever restores says of each that its data is missing")
    #expect(contents.withoutData.map(\.identifier.index) == [1])
  }

  @Test func aHoleNeedsNoGroup() {
    func hole(_ index: UInt64, _ size: UInt64) -> ContentReference {
      .stored(
        ContentIdentifier(session: session, index: index),
        SealedContent(size: size, algorithm: .sha256OfExtents, digest: Digest256(words: (0, 0, 0, 0))))
    }
    let rows = [
      Self.row("a", stored(1, size: 10)), Self.row("b", hole(2, 10)), Self.row("c", hole(3, Self.large)),
      Self.row("d", stored(4, size: 10)),
    ]
    let contents = Self.contents(rows, [group(1, entry: 1), group(2, entry: 4)])
    #expect(contents.fetches.map(Self.whole) == [[1], [4]])
    #expect(contents.withoutData.map(\.identifier.index) == [2, 3])
  }

  @Test func aContentMayBeginWithAHole() {
    let rows = [
      Self.row("a", stored(1, size: 10)), Self.row("b", stored(2, size: 9000)),
      Self.row("c", stored(3, size: Self.large)),
    ]
    let locations = [group(1, entry: 1), group(2, entry: 2, offset: 4096), group(3, entry: 3, offset: 8192)]
    let contents = Self.contents(rows, locations)
    #expect(contents.fetches.map(Self.whole) == [[1], [2], nil])
    #expect(contents.fetches.map(Self.part) == [nil, nil, [true, true]])
  }
}
