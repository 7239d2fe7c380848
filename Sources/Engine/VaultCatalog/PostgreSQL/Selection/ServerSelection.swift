import VaultModel

/// The statements that sort a selection on a server, or give its rows to this process to be sorted.
///
/// The rows are whole, and sorted ones held by a cursor: reading them in order looks nothing up, whatever the order is and whatever
/// a job that is published in between does to where they came from.
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

  /// What a restore's second pass is about, with the columns of a state's rows, in no order; directories are still among it. The
  /// cursor is read once. Parameters as those of `declaration`.
  static func declarationWithoutOrder(_ source: StateSource) -> String {
    let arms = arms(of: source, leading: false) { first, _ in
      "\(entry(first)), \(columns)"
    } rest: {
      "WHERE \($0)"
    }
    return "DECLARE \(cursor) NO SCROLL CURSOR FOR \(arms.joined(separator: " UNION ALL "))"
  }

  private var order: String {
    switch pass {
    case .directories: "head, key, name"
    case .contents: "place NULLS FIRST, content_index NULLS FIRST, device, inode, directory, name"
    }
  }

  /// Directories, or everything else, with what they are sorted by.
  private var arms: [String] {
    switch pass {
    case .directories:
      Self.arms(of: source, leading: true) { first, leads in
        "\(Self.entry(first)), \(leads) AS leads, \(Self.columns), \(StateSource.head("c.key")) AS head"
      } rest: { condition in
        "WHERE \(condition) AND \(StateSource.isDirectory("e"))"
      }
    case .contents:
      Self.arms(of: source, leading: false) { first, leads in
        "\(Self.entry(first)), \(leads) AS leads, \(Self.columns), \(Self.place) AS place"
      } rest: { condition in
        "LEFT JOIN job AS j ON j.session = e.content_session WHERE \(condition) AND NOT \(StateSource.isDirectory("e"))"
      }
    }
  }

  private static func entry(_ first: String) -> String { "e.directory, c.key, e.name, \(first) AS first" }
  private static let columns = StateRowReader.entryColumns.map { "e.\($0)" }.joined(separator: ", ")

  /// What is below chosen directories and what has a chosen name, of the latest, an older or a staged state.
  ///
  /// - Parameters:
  ///   - leading: whether what only leads to the selection is wanted, too.
  ///   - columns: what is selected, made from what shows the first sequence and what tells rows that only lead to the selection.
  ///   - rest: joins and conditions, made from the condition for rows of the state.
  private static func arms(
    of source: StateSource, leading: Bool, columns: (_ first: String, _ leads: String) -> String,
    rest: (_ condition: String) -> String
  ) -> [String] {
    let tables: [(name: String, condition: String, first: String)] =
      switch source {
      case .current: [("entry_current", "e.tree = $1", "e.first")]
      case .asOf:
        [
          ("entry_current", "e.tree = $1 AND e.first <= $2", "e.first"),
          ("entry_past", "e.tree = $1 AND e.first <= $2 AND e.last > $2", "e.first"),
        ]
      case .staged:
        [
          ("stage", "e.job = $2 AND e.state = \(StageState.entry)", "$3::int8"),
          ("entry_current", "e.tree = $1 AND e.first = $3 AND \(StateSource.isInPlace("$2"))", "e.first"),
        ]
      }
    return tables.flatMap { table in
      [
        """
        SELECT \(columns(table.first, "0::int8"))
        FROM pg_temp.chosen_directory AS c JOIN \(table.name) AS e ON e.directory = c.id \(rest(table.condition))
        """,
        """
        SELECT \(columns(table.first, "c.leads"))
        FROM pg_temp.chosen_name AS c JOIN \(table.name) AS e ON e.directory = c.directory AND e.name = c.name
        \(rest(table.condition))\(leading ? "" : " AND c.leads = 0")
        """,
      ]
    }
  }

  /// Where the session of `e` is in the order of jobs, `j` being its job; sessions without a job come last.
  static let place =
    "CASE WHEN e.content_session IS NULL THEN NULL ELSE coalesce(j.number, \(SelectionCollector.firstPlaceWithoutJob) + e.content_session) END"
}
