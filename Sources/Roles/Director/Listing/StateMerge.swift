import VaultCatalog
import VaultModel
import VaultProtocol

/// What became of one entry between two states.
struct StateChange: Sendable {
  var directory: DirectoryKey
  /// The entry before; nil when it is new.
  var old: Entry?
  /// The entry after; nil when it is gone.
  var new: Entry?

  /// What of it changed; empty for an entry that is new or gone.
  var what: [String] {
    guard let old, let new else { return [] }
    return old.differences(from: new)
  }

  var line: ControlLine {
    var line = ControlLine("change")
    let entry = new ?? old
    line.set("path", entry.map { directory.appending($0.name).path } ?? directory.path)
    line.set("kind", old == nil ? "+" : new == nil ? "-" : "M")
    for word in what { line.set("what", word) }
    if let entry { line.set("type", entry.attributes.type.rawValue) }
    if let old { line.set("old-size", old.storedSize) }
    if let new { line.set("new-size", new.storedSize) }
    return line
  }
}

extension Entry {
  /// The size of what was read, where that is known; else what the file system said.
  var storedSize: UInt64 { sealed?.size ?? attributes.size }

  var sealed: SealedContent? {
    switch content {
    case .none, .own: nil
    case .stored(_, let sealed), .extents(_, let sealed): sealed
    }
  }

  /// What a person would see of the difference between two entries of one name.
  func differences(from other: Entry) -> [String] {
    let (mine, its) = (attributes, other.attributes)
    var what: [String] = []
    if mine.type != its.type { what.append("type") }
    if hasOtherContent(than: other) { what.append("content") }
    if mine.mode != its.mode { what.append("mode") }
    if mine.owner != its.owner || mine.group != its.group { what.append("owner") }
    if mine.modified != its.modified { what.append("time") }
    if mine.inodeFlags != its.inodeFlags || extended?.digest != other.extended?.digest { what.append("attributes") }
    return what
  }

  private func hasOtherContent(than other: Entry) -> Bool {
    if linkTarget != other.linkTarget || attributes.specialDevice != other.attributes.specialDevice { return true }
    guard let mine = sealed, let its = other.sealed else { return sealed != nil || other.sealed != nil }
    return mine.size != its.size || mine.algorithm != its.algorithm || mine.digest != its.digest
  }
}

/// Two states in canonical order, side by side: what differs, with a page of each in memory.
struct StateMerge {
  private static let rowsPerBatch = 2048

  private var old: Side
  private var new: Side
  /// Whether neither state had an entry.
  private(set) var isEmpty = true

  init(old: ListingWalk, new: ListingWalk) {
    self.old = Side(walk: old)
    self.new = Side(walk: new)
  }

  /// - Parameter tell: called now and then with how many entries were looked at.
  mutating func run(tell: (UInt64) throws -> Void, _ visit: (StateChange) throws -> Void) throws {
    var looked: UInt64 = 0
    while true {
      let (before, after) = (try old.peek(Self.rowsPerBatch), try new.peek(Self.rowsPerBatch))
      if before == nil, after == nil { return }
      isEmpty = false
      looked += 1
      if looked % UInt64(Self.rowsPerBatch) == 0 { try tell(looked) }
      let order = Self.order(before, after)
      if order <= 0 { old.advance() }
      if order >= 0 { new.advance() }
      // The very same row says the same of both.
      if order == 0, let before, let after, before.first == after.first, before.first > 0 { continue }
      let change = StateChange(
        directory: (order <= 0 ? before : after)?.directory ?? .root, old: order <= 0 ? before?.entry : nil,
        new: order >= 0 ? after?.entry : nil)
      if order != 0 || !change.what.isEmpty { try visit(change) }
    }
  }

  /// Negative when the first row comes first, 0 when both are of one name.
  private static func order(_ left: StateRow?, _ right: StateRow?) -> Int {
    guard let left else { return 1 }
    guard let right else { return -1 }
    let (a, b) = (
      CanonicalPosition(directory: left.directory, name: left.entry.name),
      CanonicalPosition(directory: right.directory, name: right.entry.name)
    )
    return a == b ? 0 : a < b ? -1 : 1
  }

  private struct Side {
    var walk: ListingWalk
    private var batch: [StateRow] = []
    private var index = 0
    private var isAtEnd = false

    init(walk: ListingWalk) { self.walk = walk }

    mutating func peek(_ limit: Int) throws -> StateRow? {
      while index == batch.count, !isAtEnd {
        let page = try walk.nextPage(limit: limit)
        batch = page ?? []
        index = 0
        isAtEnd = page == nil
      }
      return index < batch.count ? batch[index] : nil
    }

    mutating func advance() { index += 1 }
  }
}
