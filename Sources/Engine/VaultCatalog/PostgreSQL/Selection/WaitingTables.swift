import VaultModel

/// What of a process waits in tables between calls.
struct WaitingTables {
  /// Sorted rows that nobody reads any more, until the next are sorted.
  var abandoned: Set<WaitingRows> = []
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
