import VaultModel

/// What of a process waits on the server, or in memory, between calls.
struct WaitingTables {
  /// Sorted rows that somebody reads, each on a connection of its own.
  var sorted: [WaitingRows: SortedRows] = [:]
  /// Sorted rows that somebody reads and that are in memory.
  var collected: [WaitingRows: SelectionRows] = [:]
  /// Whether rows are being taken into memory.
  var isCollecting = false
  /// No more rows are sorted.
  var isClosed = false
  /// Selections that were begun and not ended.
  var noted: Set<SelectionNumber> = []
  /// The last number that was given to either.
  var selectionCount = 0
  /// Jobs whose staged rows are noted by inode.
  var indexedStages: Set<JobNumber> = []
  /// Whether the groups that are needed were noted.
  var knowsNeeds = false

  mutating func nextNumber() -> Int {
    selectionCount += 1
    return selectionCount
  }
}
