import VaultModel

/// A selection whose order no index has: its rows wait, sorted, in a temporary table, which SQLite keeps on disk when it grows.
struct MaterializedSelection {
  var pass: SelectionPass
  /// The temporary table's number.
  var table: Int

  var tableName: String { "temp.selection_\(table)" }

  private static let names = StateRowReader.entryColumns.joined(separator: ", ")

  /// Rows are whole: reading them back in order looks nothing up, whatever the order is and whatever a job that is published in
  /// between does to where they came from.
  var create: String {
    """
    CREATE TEMP TABLE selection_\(table)(
      id INTEGER PRIMARY KEY, directory INTEGER, name BLOB, first INTEGER, leads INTEGER, \(Self.names))
    """
  }

  /// Fills the table from `chosen_directory` and, where there are any, `chosen_name`.
  ///
  /// Parameters: for an older state ?1 its sequence; for a staged one ?1 its job and ?2 that one's sequence.
  func fill(from source: StateSource, withNames: Bool) -> String {
    let columns = "directory, name, first, leads, \(Self.names)"
    return """
      INSERT INTO \(tableName)(\(columns))
      SELECT \(columns) FROM (\(arms(of: source, withNames: withNames).joined(separator: " UNION ALL ")))
      ORDER BY \(order)
      """
  }

  /// Rows after the number ?1, in order, without the keys of their directories.
  var select: String {
    """
    SELECT directory, NULL, name, first, \(Self.names), id, leads FROM \(tableName) WHERE id > ?1 ORDER BY id
    """
  }

  private var order: String {
    switch pass {
    case .directories: "key, name"
    case .contents: "place, content_index, device, inode, directory, name"
    }
  }

  /// Where rows of the latest, an older and a staged state come from, and what tells those of the selection.
  private func arms(of source: StateSource, withNames: Bool) -> [String] {
    let tables: [(name: String, condition: String, first: String)] =
      switch source {
      case .current: [("entry_current", "1", "e.first")]
      case .asOf:
        [
          ("entry_current", "e.first <= ?1", "e.first"),
          ("entry_past", "e.first <= ?1 AND e.last > ?1", "e.first"),
        ]
      case .staged:
        [
          ("stage", "e.job = ?1 AND e.state = 1", "?2"),
          ("entry_current", "e.first = ?2 AND \(StateSource.isInPlace("?1"))", "e.first"),
        ]
      }
    let keys: String
    let rest: String
    switch pass {
    case .directories:
      keys = "d.key AS key"
      rest = "CROSS JOIN directory AS d ON d.id = e.directory WHERE \(StateSource.isDirectoryRow("e"))"
    case .contents:
      keys = """
        CASE WHEN e.content_session IS NULL THEN NULL
          ELSE coalesce(j.number, 0x4000000000000000 + e.content_session) END AS place
        """
      rest =
        "LEFT JOIN job AS j ON j.session = e.content_session WHERE NOT \(StateSource.isDirectoryRow("e"))"
    }
    let columns = StateRowReader.entryColumns.map { "e.\($0) AS \($0)" }.joined(separator: ", ")
    func arm(_ table: (name: String, condition: String, first: String), _ leads: String, _ join: String) -> String {
      """
      SELECT e.directory AS directory, e.name AS name, \(table.first) AS first, \(leads) AS leads, \(columns), \(keys)
      FROM \(join) \(rest) AND \(table.condition)
      """
    }
    var arms = tables.map { table in
      arm(table, "0", "temp.chosen_directory AS c CROSS JOIN \(table.name) AS e ON e.directory = c.id")
    }
    if withNames {
      arms += tables.map { table in
        let all = arm(
          table, "c.leads",
          "temp.chosen_name AS c CROSS JOIN \(table.name) AS e ON e.directory = c.directory AND e.name = c.name")
        // What only leads to the selection is not in it.
        return pass == .directories ? all : "\(all) AND c.leads = 0"
      }
    }
    return arms
  }
}

extension CatalogError {
  /// A selection cannot be read any further.
  static var selectionHasGone: CatalogError {
    CatalogError(.notFound, "an entry of the selection has left the catalog meanwhile")
  }
}
