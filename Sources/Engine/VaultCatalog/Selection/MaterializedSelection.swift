import VaultModel

/// A selection whose order no index has: its rows wait, sorted, in a temporary table.
struct MaterializedSelection {
  /// What was selected.
  struct Key: Hashable {
    var source: SelectionSource
    var selection: Selection
    var pass: SelectionPass
  }

  /// How many selections wait at once; the oldest makes room.
  static let limit = 4

  var key: Key
  /// The temporary table's number.
  var table: Int

  var tableName: String { "temp.selection_\(table)" }

  /// How its rows are sorted.
  var order: String {
    switch key.pass {
    case .directories: "key, name"
    case .contents: "place, content_index, device, inode, directory, name"
    }
  }

  /// Where rows of the latest, an older and a staged state come from, and what tells those of the selection.
  func arms(of source: StateSource) -> [String] {
    switch source {
    case .current: [arm("entry_current", "1")]
    case .asOf: [arm("entry_current", "e.first <= ?1"), arm("entry_past", "e.first <= ?1 AND e.last > ?1")]
    case .staged:
      [
        arm("stage", "e.job = ?1 AND e.state = 1", first: "0"),
        arm("entry_current", "e.first = ?2 AND \(StateSource.isInPlace("?1"))"),
      ]
    }
  }

  /// Directories, or everything else, below chosen directories and by chosen names.
  private func arm(_ table: String, _ condition: String, first: String = "e.first") -> String {
    let common = "SELECT e.directory AS directory, e.name AS name, \(first) AS first"
    let keys: String
    let rest: String
    // What only leads to the selection is not in it.
    let selected = key.pass == .directories ? "" : " AND c.leads = 0"
    switch key.pass {
    case .directories:
      keys = "d.key AS key"
      rest = """
        CROSS JOIN directory AS d ON d.id = e.directory
        WHERE \(condition) AND \(StateSource.isDirectoryRow("e"))
        """
    case .contents:
      keys = """
        e.content_index AS content_index,
        CASE WHEN e.content_session IS NULL THEN NULL
          ELSE coalesce(j.number, 0x4000000000000000 + e.content_session) END AS place,
        e.device AS device, e.inode AS inode
        """
      rest = """
        LEFT JOIN job AS j ON j.session = e.content_session
        WHERE \(condition) AND NOT \(StateSource.isDirectoryRow("e"))
        """
    }
    return """
      \(common), 0 AS leads, \(keys)
      FROM temp.chosen_directory AS c CROSS JOIN \(table) AS e ON e.directory = c.id \(rest)
      UNION ALL
      \(common), c.leads AS leads, \(keys)
      FROM temp.chosen_name AS c CROSS JOIN \(table) AS e ON e.directory = c.directory AND e.name = c.name \(rest)\(selected)
      """
  }

  /// Reads the rows of the table from a number on, whatever a job that was published in between did to them.
  func select(from source: StateSource) -> String {
    let columns = [
      "content_session", "content_index", "device", "inode", "attributes", "extents", "extended_session",
      "extended_index",
    ]
    if case .staged = source {
      return """
        SELECT d.id, d.key, x.name, ?2, \(columns.map { "coalesce(e.\($0), p.\($0))" }.joined(separator: ", ")), x.id,
          x.leads
        FROM \(tableName) AS x CROSS JOIN directory AS d ON d.id = x.directory
          LEFT JOIN stage AS e ON e.job = ?3 AND e.directory = x.directory AND e.name = x.name
          LEFT JOIN entry_current AS p
            ON e.directory IS NULL AND p.directory = x.directory AND p.name = x.name AND p.first = ?2
        WHERE x.id > ?1 ORDER BY x.id
        """
    }
    return """
      SELECT d.id, d.key, x.name, x.first, \(columns.map { "coalesce(e.\($0), p.\($0))" }.joined(separator: ", ")), x.id,
        x.leads
      FROM \(tableName) AS x CROSS JOIN directory AS d ON d.id = x.directory
        LEFT JOIN entry_current AS e ON e.directory = x.directory AND e.name = x.name AND e.first = x.first
        LEFT JOIN entry_past AS p
          ON e.directory IS NULL AND p.directory = x.directory AND p.name = x.name AND p.first = x.first
      WHERE x.id > ?1 ORDER BY x.id
      """
  }
}
