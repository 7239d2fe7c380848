import VaultModel

/// Which rows make up a state, and the statements that read them in canonical order without sorting.
///
/// Parameters of every statement: 1 the tree, 2 and 3 the range; 4 the sequence or the job; 5 what staged rows show as
/// `first`.
enum StateSource {
  /// The latest state of a tree: one range of `entry_current`.
  case current(tree: Int64)
  /// The state that the job with a sequence left.
  case asOf(tree: Int64, sequence: Int64)
  /// What a job staged, as far as it is sealed.
  case staged(tree: Int64, job: Int64, sequence: Int64)

  var tree: Int64 {
    switch self {
    case .current(let tree), .asOf(let tree, _), .staged(let tree, _, _): tree
    }
  }

  /// The rows in a range of directories; `directoriesOnly` leaves out everything else.
  func rangeStatement(directoriesOnly: Bool) -> String {
    statement(where: "d.key >= ?2 AND d.key < ?3", directoriesOnly)
  }

  /// The rows of one directory from a name on.
  func directoryStatement(directoriesOnly: Bool) -> String {
    statement(where: "d.key = ?2 AND e.name >= ?3", directoriesOnly)
  }

  /// What `StateColumns.isDirectory` says, in SQLite's SQL.
  static func isDirectoryRow(_ row: String) -> String {
    "(\(row).content_session IS NULL AND substr(\(row).attributes, 2, 1) = x'02')"
  }

  /// Binds what does not depend on the range.
  func bind(to statement: borrowing Statement) throws(CatalogError) {
    try statement.bind(tree, at: 1)
    switch self {
    case .current: break
    case .asOf(_, let sequence): try statement.bind(sequence, at: 4)
    case .staged(_, let job, let sequence):
      try statement.bind(job, at: 4)
      try statement.bind(sequence, at: 5)
    }
  }

  /// Whether a job stages its entries in `entry_current`.
  static func isInPlace(_ job: String) -> String {
    "EXISTS (SELECT 1 FROM job AS j WHERE j.number = \(job) AND j.in_place = 1)"
  }

  private func statement(where range: String, _ directoriesOnly: Bool) -> String {
    let range = directoriesOnly ? "\(range) AND \(Self.isDirectoryRow("e"))" : range
    let order = "ORDER BY 2, 3"
    switch self {
    case .current: return "\(Self.select(from: "entry_current")) WHERE d.tree = ?1 AND \(range) \(order)"
    case .asOf:
      // Both halves come in order out of their primary keys, so that SQLite merges them.
      return """
        \(Self.select(from: "entry_current")) WHERE d.tree = ?1 AND \(range) AND e.first <= ?4
        UNION ALL
        \(Self.select(from: "entry_past")) WHERE d.tree = ?1 AND \(range) AND e.first <= ?4 AND e.last > ?4
        \(order)
        """
    case .staged:
      let rows = Self.select(from: "stage", first: "?5", and: "e.job = ?4 AND e.state = \(StageState.entry)")
      return """
        \(rows) WHERE d.tree = ?1 AND \(range)
        UNION ALL
        \(Self.select(from: "entry_current")) WHERE d.tree = ?1 AND \(range) AND e.first = ?5 AND \(Self.isInPlace("?4"))
        \(order)
        """
    }
  }

  private static func select(from table: String, first: String = "e.first", and condition: String = "1") -> String {
    """
    SELECT d.id, d.key, e.name, \(first), e.content_session, e.content_index, e.device, e.inode, e.attributes, e.extents,
      e.extended_session, e.extended_index
    FROM directory AS d CROSS JOIN \(table) AS e ON e.directory = d.id AND \(condition)
    """
  }
}
