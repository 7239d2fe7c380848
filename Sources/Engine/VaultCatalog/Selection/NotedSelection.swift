import VaultModel

/// A selection that was noted place by place: a temporary table, which SQLite keeps on disk when it grows.
enum NotedSelection {
  // Kinds of places.
  static let onTheWay: Int64 = 0
  static let entry: Int64 = 1
  static let below: Int64 = 2

  static func table(_ number: SelectionNumber) -> String { "temp.noted_\(number)" }

  /// `key` is the directory's, `name` an entry's in it; `high` is above every key within the directory.
  static func create(_ number: SelectionNumber) -> String {
    """
    CREATE TEMP TABLE noted_\(number)(
      kind INTEGER NOT NULL, key BLOB NOT NULL, name BLOB NOT NULL, high BLOB NOT NULL,
      PRIMARY KEY (kind, key, name)) WITHOUT ROWID
    """
  }

  static func insert(into table: String) -> String {
    "INSERT OR IGNORE INTO \(table) (kind, key, name, high) VALUES (?1, ?2, ?3, ?4)"
  }

  static func chooseDirectories(from table: String) -> String {
    """
    INSERT OR IGNORE INTO temp.chosen_directory(id)
    SELECT d.id FROM \(table) AS n CROSS JOIN directory AS d ON d.tree = ?1 AND d.key >= n.key AND d.key < n.high
    WHERE n.kind = \(below)
    """
  }

  static func chooseNames(from table: String) -> String {
    """
    INSERT INTO temp.chosen_name(directory, name, leads)
    SELECT d.id, n.name, n.kind = \(onTheWay) FROM \(table) AS n CROSS JOIN directory AS d ON d.tree = ?1 AND d.key = n.key
    WHERE n.kind IN (\(onTheWay), \(entry))
    """
  }
}
