/// One job's way into its tree's state on a server: the numbers it is made with and the statements it is made of.
///
/// vault-catalog(7), "Publishing", gives the rules; `PostgreSQLConnection.publish` the order. Parameters of every statement: 1
/// the job, 2 the tree, 3 the job's sequence, 4 its base.
struct ServerPublication {
  var job: Int64
  var tree: Int64
  /// The job's own sequence.
  var sequence: Int64
  /// The sequence whose state the job compared with; 0 for a full.
  var base: Int64
  /// The sequence of the tree's current state.
  var latest: Int64

  static let temporaryTables = """
    CREATE TEMP TABLE kept_name(directory int8, name bytea, unseen bool, PRIMARY KEY (directory, name)) ON COMMIT DROP;
    CREATE TEMP TABLE kept_directory(id int8 PRIMARY KEY, replaced bool NOT NULL DEFAULT false) ON COMMIT DROP;
    CREATE TEMP TABLE moved(directory int8, name bytea, first int8) ON COMMIT DROP
    """

  private static let columns =
    "content_session, content_index, device, inode, attributes, extents, extended_session, extended_index"

  // MARK: What the job staged

  /// A staged entry that says what the current row says makes no new row. Where its extended attributes lie does not matter:
  /// `attributes` has their digest. A full has stored all contents again: no row with one is as it was.
  static let markUnchanged = """
    UPDATE stage AS s SET state = \(StageState.unchanged) FROM entry_current AS e
    WHERE s.job = $1 AND s.state = \(StageState.entry) AND ($4 > 0 OR s.content_session IS NULL)
      AND e.tree = $2 AND e.directory = s.directory AND e.name = s.name
      AND e.attributes = s.attributes AND e.device = s.device AND e.inode = s.inode
      AND e.content_session IS NOT DISTINCT FROM s.content_session
      AND e.content_index IS NOT DISTINCT FROM s.content_index AND e.extents IS NOT DISTINCT FROM s.extents
    """

  /// Rows that the job replaces or deletes end where it begins.
  static let closeReplaced = """
    WITH closed AS (
      DELETE FROM entry_current AS e USING stage AS s
      WHERE s.job = $1 AND s.state IN (\(StageState.entry), \(StageState.deletion)) AND e.tree = $2
        AND e.directory = s.directory AND e.name = s.name
      RETURNING e.*
    )
    INSERT INTO entry_past(tree, directory, name, first, last, \(columns))
    SELECT tree, directory, name, first, $3::int8, \(columns) FROM closed
    """

  static let insertEntries = """
    INSERT INTO entry_current(tree, directory, name, first, \(columns))
    SELECT $2::int8, directory, name, $3::int8, \(columns) FROM stage
    WHERE job = $1 AND state = \(StageState.entry) ORDER BY directory, name
    """

  /// Parameters: 1 the job that staged a tree's rows in place, 2 the tree.
  static let moveToStage = """
    INSERT INTO stage(job, directory, name, state, \(columns))
    SELECT $1::int8, directory, name, \(StageState.entry), \(columns) FROM entry_current WHERE tree = $2
    """

  static let deleteStage = "DELETE FROM stage WHERE job = $1"

  // MARK: What the job did not see

  /// Names whose last version stays because the job could not read them, and whether it did not even see what they are. A
  /// directory that could not be listed is none of them: its own entry was seen.
  static let keepNames = """
    INSERT INTO pg_temp.kept_name(directory, name, unseen)
    SELECT directory, name, bool_or(phase IN (1, 6)) FROM problem WHERE job = $1 AND phase IN (1, 2, 3, 6)
    GROUP BY directory, name
    """

  /// Whether there is anything below which everything stays.
  static let isPartlyUnseen = "SELECT count(*) FROM problem WHERE job = $1 AND phase IN (1, 4, 6)"

  /// Paths below which everything stays.
  static let unreadable = """
    SELECT d.key, p.name FROM problem AS p JOIN directory AS d ON d.id = p.directory
    WHERE p.job = $1 AND p.phase IN (1, 4, 6)
    """

  /// Its own parameters: 1 the tree, 2 and 3 the range.
  static let keepDirectories = """
    INSERT INTO pg_temp.kept_directory(id) SELECT id FROM (\(StateSource.directoryRange)) AS d ON CONFLICT DO NOTHING
    """

  /// Where names were listed before the listing ended early: below one that was met as something else than a directory is
  /// nothing to keep. Its own parameters: 1 the job, 2 the tree.
  static let markReplaced = """
    WITH replaced AS MATERIALIZED (
      SELECT DISTINCT d.id FROM pg_temp.kept_directory AS k JOIN directory AS p ON p.id = k.id
        JOIN stage AS s ON s.job = $1 AND s.directory = k.id
        CROSS JOIN LATERAL (SELECT p.key || '\\x00'::bytea || s.name AS low) AS r
        CROSS JOIN LATERAL (\(StateSource.directories("$2", from: "r.low", to: "r.low || '\\x01'::bytea"))) AS d
      WHERE s.state IN (\(StageState.entry), \(StageState.unchanged)) AND NOT \(StateSource.isDirectory("s"))
    )
    UPDATE pg_temp.kept_directory AS k SET replaced = true FROM replaced AS r WHERE k.id = r.id
    """

  /// Rows below what is a directory no more end, whatever made them.
  static let closeBelowReplaced = closing(
    "e.directory IN (SELECT id FROM pg_temp.kept_directory WHERE replaced)")

  /// Rows younger than the base that the job neither staged nor must keep end, too.
  static let closeOutdated = closing(
    "e.first > $4 AND NOT EXISTS (SELECT 1 FROM pg_temp.kept_directory AS k WHERE k.id = e.directory)")

  private static func closing(_ condition: String) -> String {
    """
    WITH closed AS (
      DELETE FROM entry_current AS e
      WHERE e.tree = $2 AND \(condition)
        AND NOT EXISTS (
          SELECT 1 FROM stage AS s WHERE s.job = $1 AND s.directory = e.directory AND s.name = e.name AND s.state <> 0)
        AND NOT EXISTS (SELECT 1 FROM pg_temp.kept_name AS k WHERE k.directory = e.directory AND k.name = e.name)
      RETURNING e.*
    )
    INSERT INTO entry_past(tree, directory, name, first, last, \(columns))
    SELECT tree, directory, name, first, $3::int8, \(columns) FROM closed
    """
  }

  /// Rows that the base saw, that ended since, and that nothing replaces: a differential brings them back, but not what it
  /// could not look for.
  static let findRevived = """
    INSERT INTO pg_temp.moved(directory, name, first)
    SELECT p.directory, p.name, p.first FROM entry_past AS p
    WHERE p.tree = $2 AND p.last > $4 AND p.first <= $4
      AND NOT EXISTS (
        SELECT 1 FROM stage AS s WHERE s.job = $1 AND s.directory = p.directory AND s.name = p.name AND s.state <> 0)
      AND NOT EXISTS (
        SELECT 1 FROM entry_current AS e WHERE e.tree = $2 AND e.directory = p.directory AND e.name = p.name)
      AND NOT EXISTS (SELECT 1 FROM pg_temp.kept_directory AS k WHERE k.id = p.directory)
      AND NOT EXISTS (
        SELECT 1 FROM pg_temp.kept_name AS k WHERE k.directory = p.directory AND k.name = p.name AND k.unseen)
    """

  /// Notes the oldest row that comes back: replaying the job needs whatever made that row.
  static let recordRevived = "UPDATE job SET revived = (SELECT min(first) FROM pg_temp.moved) WHERE number = $1"

  static let insertRevived = """
    INSERT INTO entry_current(tree, directory, name, first, \(columns))
    SELECT $2::int8, m.directory, m.name, $3::int8, \(columns)
    FROM pg_temp.moved AS m JOIN LATERAL (
      SELECT \(columns) FROM entry_past AS p
      WHERE p.tree = $2 AND p.directory = m.directory AND p.name = m.name AND p.first = m.first
    ) AS p ON true
    """

  /// Notes whether the job says everything about its tree by itself.
  static let recordWhole = """
    UPDATE job SET whole = (base_sequence = 0 AND NOT EXISTS (
      SELECT 1 FROM problem AS p WHERE p.job = $1 AND p.phase IN (1, 2, 3, 4, 6)))::int
    WHERE number = $1
    """
}
