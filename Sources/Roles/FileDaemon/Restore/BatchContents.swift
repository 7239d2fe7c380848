import VaultModel
import VaultProtocol

/// The contents that one batch of the plan wants, in order, and the groups to fetch for them.
struct BatchContents {
  /// What one group is fetched for.
  enum Purpose {
    case whole([UInt64: ContentItem])
    /// A part of a content of many groups; the first and the last are marked.
    case part(ContentItem, isFirst: Bool, isLast: Bool)

    /// Adds a content to those of a whole group; false when the group is not fetched for contents, or for this one already.
    fileprivate mutating func add(_ item: ContentItem) -> Bool {
      guard case .whole(var wanted) = self, wanted[item.identifier.index] == nil else { return false }
      // Nobody else may hold the table, or each content costs a copy of all before it.
      self = .whole([:])
      wanted[item.identifier.index] = item
      self = .whole(wanted)
      return true
    }
  }

  struct Fetch {
    var session: UniqueIdentifier
    var location: GroupLocation
    var purpose: Purpose
  }

  private(set) var items: [ContentItem] = []
  private(set) var fetches: [Fetch] = []
  private var sessions: Set<UniqueIdentifier> = []

  /// Whether groups of a session are known.
  func knows(_ session: UniqueIdentifier) -> Bool { sessions.contains(session) }

  /// What is left to be known once everything was handed out: large contents have a fetch for each MiB.
  var handedOut: BatchContents {
    var rest = self
    rest.fetches = []
    return rest
  }

  /// Contents that need no group.
  var withoutData: [ContentItem] { items.filter(\.isWithoutData) }

  /// - Parameters:
  ///   - rows: entries with stored content, equal contents next to each other.
  ///   - isWithoutData: whether a content is empty or one hole.
  init(
    rows: some Sequence<PlanBatch.Row>, locations: [PlanBatch.SessionLocations],
    isWithoutData: (SealedContent) throws -> Bool
  ) rethrows {
    try collect(rows, isWithoutData)
    var bySession: [UniqueIdentifier: [GroupLocation]] = [:]
    sessions = Set(locations.map(\.session))
    for run in locations { bySession[run.session, default: []] += run.locations }
    var next = 0
    while next < items.count {
      let session = items[next].identifier.session
      let end = items[next...].firstIndex { $0.identifier.session != session } ?? items.count
      assign(items[next..<end], bySession[session] ?? [], session)
      next = end
    }
  }

  private mutating func collect(
    _ rows: some Sequence<PlanBatch.Row>, _ isWithoutData: (SealedContent) throws -> Bool
  ) rethrows {
    var groups: [ContentItem.LinkGroup] = []
    var current: (identifier: ContentIdentifier, sealed: SealedContent)?
    func close() throws -> [ContentItem] {
      guard let current else { return [] }
      let hasNone = try isWithoutData(current.sealed)
      let isLarge = current.sealed.size > UInt64(GroupLimits.contentDataLimit)
      // A large content that several files have is read once for each: it streams through.
      let parts = isLarge ? groups.map { [$0] } : [groups]
      return parts.map {
        ContentItem(
          identifier: current.identifier, sealed: current.sealed, isWithoutData: hasNone, groups: $0)
      }
    }
    for row in rows {
      guard case .stored(let identifier, let sealed) = row.entry.content else { continue }
      // An entry's own seal decides: one that says something else of the same content is checked by itself.
      if current?.identifier != identifier || current?.sealed.isSameContent(as: sealed) != true {
        items += try close()
        groups = []
        current = (identifier, sealed)
      }
      if let last = groups.last?.rows.first, row.isLink(of: last) {
        groups[groups.count - 1].rows.append(row)
      } else {
        groups.append(ContentItem.LinkGroup(rows: [row]))
      }
    }
    items += try close()
  }

  /// Finds each content's groups: the last that begins at or before it, and for a large one all that begin inside it.
  private mutating func assign(
    _ items: ArraySlice<ContentItem>, _ locations: [GroupLocation], _ session: UniqueIdentifier
  ) {
    var index = 0
    for item in items where !item.isWithoutData {
      let content = item.identifier.index
      if item.sealed.size > UInt64(GroupLimits.contentDataLimit) {
        let parts = locations.filter { $0.firstEntry == content }
        for (number, location) in parts.enumerated() {
          fetches.append(
            Fetch(
              session: session, location: location,
              purpose: .part(item, isFirst: number == 0, isLast: number == parts.count - 1)))
        }
        continue
      }
      while index + 1 < locations.count, locations[index + 1].firstEntry <= content { index += 1 }
      guard index < locations.count, locations[index].firstEntry <= content else { continue }
      let location = locations[index]
      if !joinLast(item, session, group: location.group) {
        fetches.append(Fetch(session: session, location: location, purpose: .whole([content: item])))
      }
    }
  }

  private mutating func joinLast(_ item: ContentItem, _ session: UniqueIdentifier, group: UInt64) -> Bool {
    guard let last = fetches.indices.last, fetches[last].session == session, fetches[last].location.group == group
    else { return false }
    return fetches[last].purpose.add(item)
  }

  /// Why a content that nobody asked the storage daemon for is missing.
  func missing(_ item: ContentItem) -> String {
    knows(item.identifier.session)
      ? "its data is missing"
      : "its data is missing: it lies in session \(item.identifier.session), of which no volume here is known"
  }
}

extension SealedContent {
  /// Whether both say the same of the bytes; what happened while they were read is another matter.
  fileprivate func isSameContent(as other: SealedContent) -> Bool {
    size == other.size && algorithm == other.algorithm && digest == other.digest
  }
}
