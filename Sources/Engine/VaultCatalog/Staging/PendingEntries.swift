import VaultModel

/// Where an entry's extended attributes are, as its row says it.
struct ExtendedColumns {
  var session: Int64
  var index: Int64
}

/// Entries that wait for their seal inside one commit, so that most are written once, sealed.
struct PendingEntries: ~Copyable {
  /// One entry; its bytes are in `bytes`.
  struct Item {
    var index: UInt64
    var directory: DirectoryNumber
    var name: Range<Int>
    var attributes: Range<Int>
    var device: UInt64
    var inode: UInt64
    var extended: ExtendedColumns?
    var isWritten = false
  }

  /// How many entries, and how many of their bytes, may wait.
  static let itemLimit = 4096
  static let byteLimit = 4 << 20

  private(set) var items: [Item] = []
  private(set) var waitingCount = 0
  /// Names and blobs of the items, and room behind them for the row that is being written.
  var bytes = ScratchBuffer(capacity: 64 << 10)

  /// Whether the next entry needs the waiting ones to be written first: there are too many, or the order of indexes
  /// breaks.
  func mustFlush(before index: UInt64) -> Bool {
    guard let last = items.last else { return false }
    return items.count >= Self.itemLimit || bytes.count >= Self.byteLimit || index <= last.index
  }

  mutating func append(_ item: Item) {
    items.append(item)
    waitingCount += 1
  }

  /// Where the entry with an index waits; nil when it does not.
  func position(of index: UInt64) -> Int? {
    var low = 0
    var high = items.count
    while low < high {
      let middle = (low + high) / 2
      if items[middle].index < index { low = middle + 1 } else { high = middle }
    }
    return low < items.count && items[low].index == index && !items[low].isWritten ? low : nil
  }

  /// Notes that an item's row was written; forgets everything once nothing waits.
  mutating func written(_ position: Int) {
    items[position].isWritten = true
    waitingCount -= 1
    if waitingCount == 0 { removeAll() }
  }

  mutating func removeAll() {
    items.removeAll(keepingCapacity: true)
    bytes.truncate(to: 0)
    waitingCount = 0
  }
}
