import VaultModel

/// The statements that sort a selection on a server and read it.
///
/// Its rows wait in `selection_row`, whole, by the selection's number: reading them back in order looks nothing up, whatever the
/// order is and whatever a job that is published in between does to where they came from. The table is not logged: a server
/// that crashed has it empty, which the number of rows tells.
struct ServerSelection {
  var source: StateSource
  var pass: SelectionPass

  static let temporaryTables = """
    CREATE TEMP TABLE chosen_directory(id int8 PRIMARY KEY) ON COMMIT DROP;
    CREATE TEMP TABLE chosen_name(directory int8, name bytea, leads int8) ON COMMIT DROP
    """

  private static let names = StateRowReader.entryColumns.joined(separator: ", ")

  /// Fills selection $1 from what was chosen; $2 is the tree, $3 the sequence or, for what is staged, the job and $4 its
  /// sequence.
  var fill: String {
    """
    INSERT INTO selection_row(selection, id, directory, name, first, leads, \(Self.names))
    SELECT $1::int8, row_number() OVER (ORDER BY \(order)), directory, name, first, leads, \(Self.names)
    FROM (\(arms.joined(separator: " UNION ALL "))) AS x
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
    case .current: [arm("entry_current", "e.tree = $2")]
    case .asOf:
      [
        arm("entry_current", "e.tree = $2 AND e.first <= $3"),
        arm("entry_past", "e.tree = $2 AND e.first <= $3 AND e.last > $3"),
      ]
    case .staged:
      [
        arm("stage", "e.job = $3 AND e.state = \(StageState.entry)", first: "$4::int8"),
        arm("entry_current", "e.tree = $2 AND e.first = $4 AND \(StateSource.isInPlace("$3"))"),
      ]
    }
  }

  /// Directories, or everything else, below chosen directories and by chosen names.
  private func arm(_ table: String, _ condition: String, first: String = "e.first") -> String {
    let common = "SELECT e.directory, e.name, \(first) AS first"
    let columns = StateRowReader.entryColumns.map { "e.\($0)" }.joined(separator: ", ")
    let keys: String
    let rest: String
    // What only leads to the selection is not in it.
    let selected = pass == .directories ? "" : " AND c.leads = 0"
    switch pass {
    case .directories:
      keys = "\(StateSource.head("d.key")) AS head, d.key"
      rest = "JOIN directory AS d ON d.id = e.directory WHERE \(condition) AND \(StateSource.isDirectory("e"))"
    case .contents:
      keys = "\(Self.place) AS place"
      rest =
        "LEFT JOIN job AS j ON j.session = e.content_session WHERE \(condition) AND NOT \(StateSource.isDirectory("e"))"
    }
    return """
      \(common), 0::int8 AS leads, \(columns), \(keys)
      FROM pg_temp.chosen_directory AS c JOIN \(table) AS e ON e.directory = c.id \(rest)
      UNION ALL
      \(common), c.leads, \(columns), \(keys)
      FROM pg_temp.chosen_name AS c JOIN \(table) AS e ON e.directory = c.directory AND e.name = c.name \(rest)\(selected)
      """
  }

  /// Where the session of `e` is in the order of jobs, `j` being its job; sessions without a job come last.
  static let place =
    "CASE WHEN e.content_session IS NULL THEN NULL ELSE coalesce(j.number, 4611686018427387904 + e.content_session) END"

  /// Rows of selection $1 after $2, up to $3: numbers have no gaps, so a page is a range of them.
  ///
  /// A row has the key of its directory when the one before it has another: looking it up costs as much as the row.
  static let read = """
    SELECT directory,
      CASE WHEN lag(directory) OVER (ORDER BY id) IS DISTINCT FROM directory
        THEN (SELECT key FROM directory AS d WHERE d.id = x.directory) END,
      name, first, \(names), id, leads
    FROM selection_row AS x WHERE selection = $1 AND id > $2 AND id <= $2 + $3 ORDER BY id
    """
}
