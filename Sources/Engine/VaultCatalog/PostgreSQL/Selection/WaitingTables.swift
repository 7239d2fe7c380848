import VaultModel

/// What of a process waits in tables between calls.
struct WaitingTables {
  /// Selections whose rows wait, sorted, the latest last.
  var selections: [MaterializedSelection] = []
  /// Selections that were begun and not ended.
  var noted: Set<SelectionNumber> = []
  /// The last number that was given to either.
  var selectionCount = 0
  /// Jobs whose staged rows are noted by inode.
  var indexedStages: Set<JobNumber> = []

  mutating func nextNumber() -> Int {
    selectionCount += 1
    return selectionCount
  }
}
