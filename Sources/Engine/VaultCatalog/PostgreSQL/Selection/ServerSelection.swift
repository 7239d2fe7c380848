import VaultModel

/// The statement that sorts a selection on a server.
///
/// The rows are whole, and held by a cursor: reading them in order looks nothing up, whatever the order is and whatever a job that
/// is published in between does to where they came from.
struct ServerSelection {
  var source: StateSource
  var pass: SelectionPass

  static let temporaryTables = """
    CREATE TEMP TABLE chosen_directory(id int8 PRIMARY KEY, key bytea) ON COMMIT DROP;
    CREATE TEMP TABLE chosen_name(directory int8, key bytea, name bytea, leads int8) ON COMMIT DROP
    """

  private static let names = StateRowReader.entryColumns.joined(separator: ", ")

  /// What the cursor with the rows is called; a connection has one.
  static let cursor = "selected_rows"

  /// Sorts what was chosen; $1 is the tree, $2 the sequence or, for what is staged, the job and $3 its sequence.
  ///
  /// Columns: those of a state's rows, and whether the row only leads to the selection.
  var declaration: String {
    """
    DECLARE \(Self.cursor) SCROLL CURSOR WITH HOLD FOR
    SELECT directory, key, name, first, \(Self.names), leads
    FROM (\(arms.joined(separator: " UNION ALL "))) AS x ORDER BY \(order)
    """
  }

  /// The same rows in no order, by a cursor that is read once.
  var declarationWithoutOrder: String {
    """
    DECLARE \(Self.cursor) NO SCROLL CURSOR FOR
    SELECT directory, key, name, first, \(Self.names) FROM (\(arms.joined(separator: " UNION ALL "))) AS x
    """
  }

  private var order: String {
    switch pass {
    case .directories: "head, key, name"
    case .contents: "place NULLS FIRST, content_index NULLS FIRST, device, inode, directory, name"
    }
  }

  /// Where rows of the latest, an older and a staged state come from, and what tells those of the selection.
  private var arms: [String] {
    switch source {
    case .current: [arm("entry_current", "e.tree = $1")]
    case .asOf:
      [
        arm("entry_current", "e.tree = $1 AND e.first <= $2"),
        arm("entry_past", "e.tree = $1 AND e.first <= $2 AND e.last > $2"),
      ]
    case .staged:
      [
        arm("stage", "e.job = $2 AND e.state = \(StageState.entry)", first: "$3::int8"),
        arm("entry_current", "e.tree = $1 AND e.first = $3 AND \(StateSource.isInPlace("$2"))"),
      ]
    }
  }

  /// Directories, or everything else, below chosen directories and by chosen names.
  private func arm(_ table: String, _ condition: String, first: String = "e.first") -> String {
    let common = "SELECT e.directory, c.key, e.name, \(first) AS first"
    let columns = StateRowReader.entryColumns.map { "e.\($0)" }.joined(separator: ", ")
    let order: String
    let rest: String
    // What only leads to the selection is not in it.
    let selected = pass == .directories ? "" : " AND c.leads = 0"
    switch pass {
    case .directories:
      order = "\(StateSource.head("c.key")) AS head"
      rest = "WHERE \(condition) AND \(StateSource.isDirectory("e"))"
    case .contents:
      order = "\(Self.place) AS place"
      rest =
        "LEFT JOIN job AS j ON j.session = e.content_session WHERE \(condition) AND NOT \(StateSource.isDirectory("e"))"
    }
    return """
      \(common), 0::int8 AS leads, \(columns), \(order)
      FROM pg_temp.chosen_directory AS c JOIN \(table) AS e ON e.directory = c.id \(rest)
      UNION ALL
      \(common), c.leads, \(columns), \(order)
      FROM pg_temp.chosen_name AS c JOIN \(table) AS e ON e.directory = c.directory AND e.name = c.name \(rest)\(selected)
      """
  }

  /// Where the session of `e` is in the order of jobs, `j` being its job; sessions without a job come last.
  static let place =
    "CASE WHEN e.content_session IS NULL THEN NULL ELSE coalesce(j.number, 4611686018427387904 + e.content_session) END"
}
