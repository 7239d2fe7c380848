import VaultCatalog
import VaultModel
import VaultProtocol

/// Finds the groups that hold contents which come in ascending order, with few queries for small ones: it keeps a window of a
/// session's groups.
struct LocationCursor {
  private static let windowLimit: UInt64 = 4096

  private let catalog: any CatalogStore
  private var session: UniqueIdentifier?
  /// Data groups of the session in the order of contents.
  private var window: [GroupLocation] = []
  /// Whether the session's last group is in the window.
  private var reachesEnd = false

  init(catalog: any CatalogStore) { self.catalog = catalog }

  /// The groups of a content, in order.
  mutating func locations(of content: ContentIdentifier, size: UInt64) throws -> [GroupLocation] {
    if size == 0 { return [] }
    // A content that an interruption cut has groups on both sides of others.
    if size > UInt64(GroupLimits.contentDataLimit) { return try catalog.locations(of: content, size: size) }
    if let found = inWindow(content, size) { return found }
    let found = try catalog.locations(of: content, size: size)
    guard let first = found.first else { return [] }
    let range = first.group...(first.group + Self.windowLimit)
    session = content.session
    let loaded = try catalog.locations(of: content.session, groups: range)
    reachesEnd = (loaded.last?.group ?? 0) < range.upperBound
    window = loaded.filter { $0.kind == .data }.sorted {
      ($0.firstEntry, $0.firstOffset) < ($1.firstEntry, $1.firstOffset)
    }
    return found
  }

  private func inWindow(_ content: ContentIdentifier, _ size: UInt64) -> [GroupLocation]? {
    guard session == content.session, let start = lastIndex(notAfter: content.index, 0) else { return nil }
    guard let end = lastIndex(notAfter: content.index, size - 1), end >= start else { return nil }
    guard end + 1 < window.count || reachesEnd else { return nil }
    return Array(window[start...end])
  }

  /// The last group of the window that begins at or before a place.
  private func lastIndex(notAfter entry: UInt64, _ offset: UInt64) -> Int? {
    var low = 0
    var high = window.count
    while low < high {
      let middle = (low + high) / 2
      if (window[middle].firstEntry, window[middle].firstOffset) <= (entry, offset) {
        low = middle + 1
      } else {
        high = middle
      }
    }
    return low > 0 ? low - 1 : nil
  }
}
