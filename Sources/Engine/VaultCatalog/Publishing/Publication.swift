/// One job's way into its tree's state: the numbers it is made with and the statements it is made of.
///
/// vault-catalog(7), "Publishing", gives the rules; `CatalogConnection.publish` the order.
struct Publication {
  /// A statement and what its parameters are, from 1.
  struct Step: @unchecked Sendable {
    // Key paths of stored integers are immutable values.
    let sql: String
    let parameters: [KeyPath<Publication, Int64>]
  }

  var job: Int64
  var tree: Int64
  /// The job's own sequence.
  var sequence: Int64
  /// The sequence whose state the job compared with; 0 for a full.
  var base: Int64
  /// The sequence of the tree's current state.
  var latest: Int64

  static let temporaryTables = """
    CREATE TEMP TABLE IF NOT EXISTS kept_name(
      directory INTEGER, name BLOB, unseen INTEGER, PRIMARY KEY (directory, name)) WITHOUT ROWID;
    CREATE TEMP TABLE IF NOT EXISTS kept_directory(id INTEGER PRIMARY KEY, replaced INTEGER NOT NULL DEFAULT 0);
    CREATE TEMP TABLE IF NOT EXISTS moved(
      directory INTEGER, name BLOB, first INTEGER, PRIMARY KEY (directory, name)) WITHOUT ROWID;
    """

  private static let columns =
    "content_session, content_index, device, inode, attributes, extents, extended_session, extended_index"

  /// Columns of one table, as one list with its alias.
  private static func columns(of alias: String) -> String {
    """
    \(alias).content_session, \(alias).content_index, \(alias).device, \(alias).inode, \(alias).attributes,
      \(alias).extents, \(alias).extended_session, \(alias).extended_index
    """
  }

  // MARK: What the job staged

  /// A staged entry that says what the current row says makes no new row. Where its extended attributes lie does not matter:
  /// `attributes` has their digest. A full has stored all contents again: no row with one is as it was.
  static let markUnchanged = Step(
    sql: """
      UPDATE stage SET state = 3 WHERE job = ?1 AND state = 1 AND (?2 > 0 OR content_session IS NULL) AND EXISTS (
        SELECT 1 FROM entry_current AS e WHERE e.directory = stage.directory AND e.name = stage.name
          AND e.attributes = stage.attributes AND e.device = stage.device AND e.inode = stage.inode
          AND e.content_session IS stage.content_session AND e.content_index IS stage.content_index
          AND e.extents IS stage.extents)
      """,
    parameters: [\.job, \.base])

  /// Rows that the job replaces or deletes end where it begins.
  static let closeReplaced = Step(
    sql: """
      INSERT OR ROLLBACK INTO entry_past(directory, name, first, last, \(columns))
      SELECT e.directory, e.name, e.first, ?2, \(columns(of: "e"))
      FROM stage AS s CROSS JOIN entry_current AS e ON e.directory = s.directory AND e.name = s.name
      WHERE s.job = ?1 AND s.state IN (1, 2)
      """,
    parameters: [\.job, \.sequence])

  static let removeDeleted = Step(
    sql: """
      DELETE FROM entry_current
      WHERE (directory, name) IN (SELECT directory, name FROM stage WHERE job = ?1 AND state = 2)
      """,
    parameters: [\.job])

  static let insertEntries = Step(
    sql: """
      INSERT OR REPLACE INTO entry_current(directory, name, first, \(columns))
      SELECT directory, name, ?2, \(columns) FROM stage WHERE job = ?1 AND state = 1 ORDER BY directory, name
      """,
    parameters: [\.job, \.sequence])

  // MARK: What is staged in place

  private static let other = "SELECT number, sequence FROM job WHERE tree = ?1 AND in_place = 1 AND number <> ?2"

  /// What another job of the tree staged in place goes where such rows wait.
  static let moveOtherToStage = Step(
    sql: """
      INSERT INTO stage(job, directory, name, state, \(columns))
      SELECT j.number, e.directory, e.name, \(StageState.entry), \(columns(of: "e"))
      FROM (\(other)) AS j CROSS JOIN directory AS d ON d.tree = ?1
        CROSS JOIN entry_current AS e ON e.directory = d.id AND e.first = j.sequence
      """,
    parameters: [\.tree, \.job])

  static let removeOther = Step(
    sql: """
      DELETE FROM entry_current WHERE first = (SELECT sequence FROM (\(other)))
        AND directory IN (SELECT id FROM directory WHERE tree = ?1 AND EXISTS (\(other)))
      """,
    parameters: [\.tree, \.job])

  static let recordOtherMoved = Step(
    sql: "UPDATE job SET in_place = 0 WHERE tree = ?1 AND number <> ?2", parameters: [\.tree, \.job])

  static let recordPlaced = Step(sql: "UPDATE job SET in_place = 0 WHERE number = ?1", parameters: [\.job])

  static let deleteStage = Step(sql: "DELETE FROM stage WHERE job = ?1", parameters: [\.job])

  // MARK: What the job did not see

  /// Names whose last version stays because the job could not read them, and whether it did not even see what they are. A
  /// directory that could not be listed is none of them: its own entry was seen.
  static let keepNames = Step(
    sql: """
      INSERT INTO temp.kept_name(directory, name, unseen)
      SELECT directory, name, max(phase IN (1, 6)) FROM problem WHERE job = ?1 AND phase IN (1, 2, 3, 6)
      GROUP BY directory, name
      """,
    parameters: [\.job])

  /// Whether there is anything below which everything stays.
  static let isPartlyUnseen = "SELECT EXISTS (SELECT 1 FROM problem WHERE job = ?1 AND phase IN (1, 4, 6))"

  /// Paths below which everything stays.
  static let unreadable = """
    SELECT d.key, p.name FROM problem AS p JOIN directory AS d ON d.id = p.directory
    WHERE p.job = ?1 AND p.phase IN (1, 4, 6)
    """

  static let keepDirectories = """
    INSERT OR IGNORE INTO temp.kept_directory(id) SELECT id FROM directory WHERE tree = ?1 AND key >= ?2 AND key < ?3
    """

  /// Where names were listed before the listing ended early: below one that was met as something else than a directory is
  /// nothing to keep.
  static let markReplaced = Step(
    sql: """
      UPDATE temp.kept_directory SET replaced = 1 WHERE id IN (
        SELECT d.id FROM temp.kept_directory AS k CROSS JOIN directory AS p ON p.id = k.id
          CROSS JOIN stage AS s ON s.job = ?1 AND s.directory = k.id
          CROSS JOIN directory AS d ON d.tree = ?2 AND d.key >= \(below("s.name"))
            AND d.key < \(below("s.name || x'01'"))
        WHERE s.state IN (\(StageState.entry), \(StageState.unchanged)) AND NOT \(StateSource.isDirectoryRow("s")))
      """,
    parameters: [\.job, \.tree])

  /// The key of what has a name in directory `p`: blobs joined are text to SQLite.
  private static func below(_ name: String) -> String { "CAST(p.key || x'00' || \(name) AS BLOB)" }

  /// Rows below what is a directory no more, whatever made them.
  static let findBelowReplaced = Step(
    sql: """
      INSERT INTO temp.moved(directory, name, first)
      SELECT e.directory, e.name, e.first
      FROM temp.kept_directory AS k CROSS JOIN entry_current AS e ON e.directory = k.id
      WHERE k.replaced AND \(isNeitherStagedNorKept)
      """,
    parameters: [\.job])

  /// Rows younger than the base that the job neither staged nor must keep.
  static let findOutdated = Step(
    sql: """
      INSERT INTO temp.moved(directory, name, first)
      SELECT e.directory, e.name, e.first FROM directory AS d CROSS JOIN entry_current AS e ON e.directory = d.id
      WHERE d.tree = ?2 AND e.first > ?3
        AND NOT EXISTS (SELECT 1 FROM temp.kept_directory AS k WHERE k.id = e.directory) AND \(isNeitherStagedNorKept)
      """,
    parameters: [\.job, \.tree, \.base])

  private static let isNeitherStagedNorKept = """
    NOT EXISTS (
      SELECT 1 FROM stage AS s WHERE s.job = ?1 AND s.directory = e.directory AND s.name = e.name AND s.state <> 0)
    AND NOT EXISTS (SELECT 1 FROM temp.kept_name AS n WHERE n.directory = e.directory AND n.name = e.name)
    """

  static let closeOutdated = Step(
    sql: """
      INSERT OR ROLLBACK INTO entry_past(directory, name, first, last, \(columns))
      SELECT e.directory, e.name, e.first, ?1, \(columns(of: "e"))
      FROM temp.moved AS m CROSS JOIN entry_current AS e ON e.directory = m.directory AND e.name = m.name
      """,
    parameters: [\.sequence])

  static let removeOutdated = Step(
    sql: "DELETE FROM entry_current WHERE (directory, name) IN (SELECT directory, name FROM temp.moved)",
    parameters: [])

  /// Rows that the base saw, that ended since, and that nothing replaces: a differential brings them back, but not what it
  /// could not look for.
  static let findRevived = Step(
    sql: """
      INSERT INTO temp.moved(directory, name, first)
      SELECT p.directory, p.name, p.first
      FROM entry_past AS p INDEXED BY entry_past_last CROSS JOIN directory AS d ON d.id = p.directory
      WHERE p.last > ?3 AND p.first <= ?3 AND d.tree = ?2
        AND NOT EXISTS (
          SELECT 1 FROM stage AS s WHERE s.job = ?1 AND s.directory = p.directory AND s.name = p.name AND s.state <> 0)
        AND NOT EXISTS (SELECT 1 FROM entry_current AS e WHERE e.directory = p.directory AND e.name = p.name)
        AND NOT EXISTS (SELECT 1 FROM temp.kept_directory AS k WHERE k.id = p.directory)
        AND NOT EXISTS (
          SELECT 1 FROM temp.kept_name AS k WHERE k.directory = p.directory AND k.name = p.name AND k.unseen)
      """,
    parameters: [\.job, \.tree, \.base])

  /// Notes whether the job says everything about its tree by itself.
  static let recordWhole = Step(
    sql: """
      UPDATE job SET whole = base_sequence = 0
        AND NOT EXISTS (SELECT 1 FROM problem AS p WHERE p.job = ?1 AND p.phase IN (1, 2, 3, 4, 6))
      WHERE number = ?1
      """,
    parameters: [\.job])

  /// Notes the oldest row that comes back: replaying the job needs whatever made that row.
  static let recordRevived = Step(
    sql: "UPDATE job SET revived = (SELECT min(first) FROM temp.moved) WHERE number = ?1", parameters: [\.job])

  static let insertRevived = Step(
    sql: """
      INSERT INTO entry_current(directory, name, first, \(columns))
      SELECT p.directory, p.name, ?1, \(columns(of: "p"))
      FROM temp.moved AS m CROSS JOIN entry_past AS p
        ON p.directory = m.directory AND p.name = m.name AND p.first = m.first
      """,
    parameters: [\.sequence])
}
