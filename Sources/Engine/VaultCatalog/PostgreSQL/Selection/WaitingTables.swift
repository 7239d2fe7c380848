import VaultModel

/// A selection whose rows wait, sorted, in a table.
struct WaitingSelection {
  var key: MaterializedSelection.Key
  /// What its rows are found by.
  var number: Int
  var rowCount: Int64
}

/// What of a process waits in tables between calls.
struct WaitingTables {
  /// Selections whose rows wait, sorted, the latest last.
  var selections: [WaitingSelection] = []
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
