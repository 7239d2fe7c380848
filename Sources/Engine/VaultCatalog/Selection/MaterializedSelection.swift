import VaultModel

/// Where the sorted rows of a selection wait.
enum WaitingSelection {
  case memory(SelectionRows)
  case table
}

/// A selection whose order no index has: its rows wait, sorted, in a temporary table, which SQLite keeps on disk when it grows, or in
/// memory as long as there is room.
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

  /// What a restore's second pass is about in no order, as `StateRowReader` takes it; directories are still among it. Parameters as
  /// those of `fill`.
  static func rows(of source: StateSource, withNames: Bool) -> String {
    let columns = StateRowReader.entryColumns.map { "e.\($0)" }.joined(separator: ", ")
    let arms = arms(of: source, withNames: withNames, leading: false, rest: "WHERE 1") { first, _ in
      "e.directory, d.key, e.name, \(first), \(columns)"
    }
    return arms.joined(separator: " UNION ALL ")
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

  /// The pass's rows, with what they are sorted by.
  private func arms(of source: StateSource, withNames: Bool) -> [String] {
    let keys: String
    let rest: String
    switch pass {
    case .directories:
      keys = "d.key AS key"
      rest = "WHERE \(StateSource.isDirectoryRow("e"))"
    case .contents:
      keys = """
        CASE WHEN e.content_session IS NULL THEN NULL
          ELSE coalesce(j.number, \(SelectionCollector.firstPlaceWithoutJob) + e.content_session) END AS place
        """
      rest = "LEFT JOIN job AS j ON j.session = e.content_session WHERE NOT \(StateSource.isDirectoryRow("e"))"
    }
    let columns = StateRowReader.entryColumns.map { "e.\($0) AS \($0)" }.joined(separator: ", ")
    return Self.arms(of: source, withNames: withNames, leading: pass == .directories, rest: rest) { first, leads in
      "e.directory AS directory, e.name AS name, \(first) AS first, \(leads) AS leads, \(columns), \(keys)"
    }
  }

  /// Where rows of the latest, an older and a staged state come from, and what tells those of the selection.
  ///
  /// - Parameters:
  ///   - leading: whether what only leads to the selection is wanted, too.
  ///   - columns: what is selected, made from what shows the first sequence and what tells such rows.
  private static func arms(
    of source: StateSource, withNames: Bool, leading: Bool, rest: String, columns: (String, String) -> String
  ) -> [String] {
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
    var arms = tables.map { table in
      """
      SELECT \(columns(table.first, "0"))
      FROM temp.chosen_directory AS c CROSS JOIN directory AS d ON d.id = c.id
        CROSS JOIN \(table.name) AS e ON e.directory = c.id \(rest) AND \(table.condition)
      """
    }
    if withNames {
      arms += tables.map { table in
        """
        SELECT \(columns(table.first, "c.leads"))
        FROM temp.chosen_name AS c CROSS JOIN directory AS d ON d.id = c.directory
          CROSS JOIN \(table.name) AS e ON e.directory = c.directory AND e.name = c.name
        \(rest) AND \(table.condition) \(leading ? "" : "AND c.leads = 0")
        """
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
