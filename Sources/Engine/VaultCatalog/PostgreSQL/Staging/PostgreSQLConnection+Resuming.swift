import VaultModel

extension PostgreSQLConnection {
  func resumePoint(of number: JobNumber) throws(CatalogError) -> ResumePoint {
    let job = try existingJob(number)
    let half = try halfSentFile(of: job)
    let kept = try keptContents(of: job)
    let lastGroup = try self.number(
      "SELECT max(number) FROM record_group WHERE job = $1", [.integer(ordered(number))])
    var point = ResumePoint(
      position: nil, nextEntryIndex: job.nextEntry, nextGroup: UInt64(clamping: lastGroup ?? 0) + 1,
      nextCommit: job.record.lastCommit + 1, halfSent: half, keptEntries: kept.entries,
      keptBytes: kept.bytes.addingClamped(half?.committed.rawByteCount ?? 0))
    let before = half.map { CanonicalPosition(directory: $0.directory, name: $0.entry.name) }
    let inPlace = try stagesInPlace(number)
    let staged = try lastPosition(Self.last("stage", by: "job"), ordered(number), of: job, before: before)
    let placed =
      inPlace ? try lastPosition(Self.last("entry_current", by: "tree"), job.tree, of: job, before: before) : nil
    let problem = try lastPosition(Self.lastProblem, ordered(number), of: job, before: before)
    point.position = [staged, placed, problem].compactMap { $0 }.max()
    return point
  }

  /// The unsealed entry with the highest index, unless the job reported that its file could not be read: then nothing
  /// of it follows.
  private func halfSentFile(of job: JobRow) throws(CatalogError) -> HalfSentFile? {
    var rows = try query(
      """
      SELECT s.directory, d.key, s.name, 0::int8, s.content_session, s.content_index, s.device, s.inode, s.attributes,
        s.extents, s.extended_session, s.extended_index
      FROM stage AS s JOIN directory AS d ON d.id = s.directory
      WHERE s.job = $1 AND s.state = 0 AND NOT EXISTS (
        SELECT 1 FROM problem AS p
        WHERE p.job = s.job AND p.directory = s.directory AND p.name = s.name AND p.phase IN (1, 2, 3))
      ORDER BY s.content_index DESC LIMIT 1
      """, [.integer(ordered(job.number))])
    guard rows.step() else { return nil }
    var reader = StateRowReader(self)
    let row = try reader.row(rows)
    let index = try rows.count(5)
    return HalfSentFile(
      index: index, directory: row.directory, entry: row.entry, committed: try committedGroups(of: index, job: job))
  }

  /// The groups that hold nothing but this content: commits leave no gap between them.
  private func committedGroups(of index: UInt64, job: JobRow) throws(CatalogError) -> CommittedGroups {
    var rows = try query(
      """
      SELECT coalesce(max(first_offset), 0), coalesce(sum(raw_length), 0)::int8 FROM record_group
      WHERE job = $1 AND kind = 1 AND first_entry = $2
      """, [.integer(ordered(job.number)), .integer(ordered(index))])
    guard rows.step() else { return CommittedGroups(lastOffset: 0, rawByteCount: 0) }
    return CommittedGroups(lastOffset: try rows.count(0), rawByteCount: try rows.count(1))
  }

  /// Entries that are complete, and the bytes of those whose content this job carried; read in pages.
  private func keptContents(of job: JobRow) throws(CatalogError) -> (entries: UInt64, bytes: UInt64) {
    let waiting = try keptContents(of: job, in: "stage", "job = $1 AND state = \(StageState.entry)", job.number)
    guard try stagesInPlace(job.number) else { return waiting }
    let placed = try keptContents(of: job, in: "entry_current", "tree = $1", UInt64(clamping: job.tree))
    return (waiting.entries + placed.entries, waiting.bytes.addingClamped(placed.bytes))
  }

  private func keptContents(
    of job: JobRow, in table: String, _ condition: String, _ parameter: UInt64
  ) throws(CatalogError) -> (entries: UInt64, bytes: UInt64) {
    let number = ServerValue.integer(try ordered(parameter))
    let count = try self.number("SELECT count(*) FROM \(table) WHERE \(condition)", [number])
    var bytes: UInt64 = 0
    var last: (directory: Int64, name: [UInt8]) = (0, [])
    let limit = 10_000
    while true {
      var rows = try query(
        """
        SELECT directory, name, attributes FROM \(table)
        WHERE \(condition) AND content_session = $2 AND extents IS NULL AND (directory, name) > ($3, $4)
        ORDER BY directory, name LIMIT \(limit)
        """, [number, .integer(job.session), .integer(last.directory), .bytes(last.name)])
      while rows.step() {
        guard let decoded = EntryCodec.decode(try rows.bytes(2), device: 0, inode: 0) else {
          throw .corrupt("a staged entry is damaged")
        }
        bytes = bytes.addingClamped(decoded.seal?.size ?? 0)
        last = (try rows.integer(0), Array(try rows.bytes(1)))
      }
      if rows.rowCount < limit { return (UInt64(clamping: count ?? 0), bytes) }
    }
  }

  // MARK: Positions

  /// The last of a table's rows that have $1 in a column.
  private static func last(_ table: String, by column: String) -> String {
    """
    SELECT x.key, (
      SELECT s.name FROM \(table) AS s WHERE s.\(column) = $1 AND s.directory = x.id AND (x.key < $3 OR s.name < $4)
      ORDER BY s.name DESC LIMIT 1)
    FROM (
      SELECT d.id, d.key FROM directory AS d
      WHERE d.tree = $2 AND d.key <= $3 AND EXISTS (
        SELECT 1 FROM \(table) AS s WHERE s.\(column) = $1 AND s.directory = d.id AND (d.key < $3 OR s.name < $4))
      ORDER BY \(StateSource.head("d.key")) DESC, d.key DESC LIMIT 1) AS x
    """
  }

  /// A path that was asked for and is missing is told at once, wherever the walk is.
  private static let lastProblem = """
    SELECT d.key, p.name FROM problem AS p JOIN directory AS d ON d.id = p.directory
    WHERE p.job = $1 AND d.tree = $2 AND p.phase <> 6 AND d.key <= $3 AND (d.key < $3 OR p.name < $4)
    ORDER BY d.key DESC, p.name DESC LIMIT 1
    """

  /// The greatest position that a statement finds before one, or of all.
  private func lastPosition(
    _ sql: String, _ key: Int64, of job: JobRow, before: CanonicalPosition?
  ) throws(CatalogError) -> CanonicalPosition? {
    var rows = try query(
      sql,
      [
        .integer(key), .integer(job.tree), .bytes(before?.directory.bytes.bytes ?? DirectoryRange.end),
        .bytes(before?.name.bytes ?? []),
      ])
    guard rows.step() else { return nil }
    return CanonicalPosition(
      directory: DirectoryKey(keyBytes: Array(try rows.bytes(0))), name: ByteString(try rows.bytes(1)))
  }

  // MARK: Staged contents

  private static let contentColumns = """
    e.directory, e.name, e.content_session, e.content_index, e.device, e.inode, e.attributes, e.extents,
    e.extended_session, e.extended_index
    """

  /// Notes what is staged by now, by inode.
  func indexStage(of number: JobNumber) throws(CatalogError) {
    let found = try existingJob(number)
    let job = ServerValue.integer(try ordered(number))
    try run("DELETE FROM staged_inode WHERE job = $1", [job])
    try run(
      """
      INSERT INTO staged_inode(job, inode, directory, name) SELECT job, inode, directory, name FROM stage
      WHERE job = $1 AND state = \(StageState.entry) AND content_session IS NOT NULL
      """, [job])
    guard try stagesInPlace(number) else { return }
    try run(
      """
      INSERT INTO staged_inode(job, inode, directory, name) SELECT $1::int8, inode, directory, name FROM entry_current
      WHERE tree = $2 AND content_session IS NOT NULL
      """, [job, .integer(found.tree)])
  }

  func stagedContents(
    of number: JobNumber, _ questions: [InodeQuestion]
  ) throws(CatalogError) -> [ContentReference?] {
    let job = try existingJob(number)
    return try contents(
      """
      FROM staged_inode AS i CROSS JOIN LATERAL (
        SELECT \(Self.contentColumns) FROM stage AS e
        WHERE e.job = $3 AND e.directory = i.directory AND e.name = i.name AND e.state = \(StageState.entry)
        UNION ALL
        SELECT \(Self.contentColumns) FROM entry_current AS e
        WHERE e.tree = (SELECT j.tree FROM job AS j WHERE j.number = $3 AND j.in_place = 1)
          AND e.directory = i.directory AND e.name = i.name
      ) AS s
      WHERE i.job = $3 AND i.inode = q.inode AND s.inode = q.inode AND s.device = q.device
      """, first: "0::int8", .integer(try ordered(job.number)), questions)
  }
}
