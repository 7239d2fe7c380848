import VaultModel

/// The statements that read a state's rows in canonical order on a server.
///
/// Directories come in the order of an index, and of each as many entries as are wanted, in the order of theirs: whatever the
/// planner thinks of the tables, a page costs a page.
extension StateSource {
  /// The beginning of a key that an index orders by.
  static func head(_ key: String) -> String { "substring(\(key), 1, \(PostgreSQLSchema.orderedKeyByteCount))" }

  /// Directories of tree $1 with keys from $2 to before $3, in order.
  static let directoryRange = "\(directories("$1", from: "$2", to: "$3")) ORDER BY 3, 2"

  /// The directories of a tree with keys in a range.
  static func directories(_ tree: String, from low: String, to high: String) -> String {
    """
    SELECT id, key, \(head("key")) AS head FROM directory
    WHERE tree = \(tree) AND \(head("key")) >= \(head(low)) AND \(head("key")) <= \(head(high))
      AND key >= \(low) AND key < \(high)
    """
  }

  /// The directory of tree $1 with key $2.
  static let oneDirectory = """
    SELECT id, key, \(head("key")) AS head FROM directory WHERE tree = $1 AND sha256(key) = sha256($2) AND key = $2
    """

  private static let columns = StateRowReader.entryColumns.joined(separator: ", ")

  /// Up to $4 rows in a range of directories; `directoriesOnly` leaves out everything else.
  func range(
    _ range: DirectoryRange, limit: Int, directoriesOnly: Bool
  ) -> (sql: String, values: [ServerValue]) {
    (
      Self.page(Self.directoryRange, arm(directoriesOnly ? Self.isDirectory("e") : "true")),
      values(.bytes(range.low), .bytes(range.high), limit)
    )
  }

  /// Up to $4 rows of one directory, from name $3 on.
  func directory(
    _ key: DirectoryKey, from name: ByteString, limit: Int, directoriesOnly: Bool
  ) -> (sql: String, values: [ServerValue]) {
    (
      Self.page(Self.oneDirectory, arm("e.name >= $3" + (directoriesOnly ? " AND \(Self.isDirectory("e"))" : ""))),
      values(.bytes(key.bytes.bytes), .bytes(name.bytes), limit)
    )
  }

  /// What `StateColumns.isDirectory` says, in this server's SQL.
  static func isDirectory(_ row: String) -> String {
    "(\(row).content_session IS NULL AND substring(\(row).attributes, 2, 1) = '\\x02'::bytea)"
  }

  private func values(_ second: ServerValue, _ third: ServerValue, _ limit: Int) -> [ServerValue] {
    var values: [ServerValue] = [.integer(tree), second, third, .integer(Int64(limit))]
    switch self {
    case .current: break
    case .asOf(_, let sequence): values.append(.integer(sequence))
    case .staged(_, let job, let sequence): values += [.integer(job), .integer(sequence)]
    }
    return values
  }

  private static func page(_ directories: String, _ arm: String) -> String {
    """
    SELECT d.id, d.key, e.name, e.first, \(StateRowReader.entryColumns.map { "e.\($0)" }.joined(separator: ", "))
    FROM (\(directories)) AS d CROSS JOIN LATERAL (\(arm) ORDER BY name LIMIT $4) AS e
    ORDER BY d.head, d.key, e.name LIMIT $4
    """
  }

  /// The rows of directory `d`.
  private func arm(_ condition: String) -> String {
    func select(_ table: String, _ more: String, first: String = "e.first") -> String {
      "SELECT e.name, \(first) AS first, \(Self.columns) FROM \(table) AS e WHERE e.directory = d.id AND \(condition) AND \(more)"
    }
    switch self {
    case .current: return select("entry_current", "e.tree = $1")
    case .asOf:
      return """
        SELECT * FROM (
          \(select("entry_current", "e.tree = $1 AND e.first <= $5"))
          UNION ALL
          \(select("entry_past", "e.tree = $1 AND e.first <= $5 AND e.last > $5"))
        ) AS u
        """
    case .staged:
      return """
        SELECT * FROM (
          \(select("stage", "e.job = $5 AND e.state = \(StageState.entry)", first: "$6::int8"))
          UNION ALL
          \(select("entry_current", "e.tree = $1 AND e.first = $6 AND \(Self.isInPlace("$5"))"))
        ) AS u
        """
    }
  }
}
