import VaultModel

extension CatalogConnection {
  func resumePoint(of number: JobNumber) throws(CatalogError) -> ResumePoint {
    let job = try existingJob(number)
    let half = try halfSentFile(of: job)
    let kept = try keptContents(of: job)
    var point = ResumePoint(
      position: nil, nextEntryIndex: job.nextEntry, nextGroup: try lastGroup(of: job) + 1,
      nextCommit: job.record.lastCommit + 1, halfSent: half, keptEntries: kept.entries,
      keptBytes: kept.bytes.addingClamped(half?.committed.rawByteCount ?? 0))
    let before = half.map { CanonicalPosition(directory: $0.directory, name: $0.entry.name) }
    let staged = try lastPosition(Self.lastStaged, of: job, before: before)
    let placed = try stagesInPlace(number) ? lastPosition(Self.lastPlaced, of: job, before: before) : nil
    let problem = try lastPosition(Self.lastProblem, of: job, before: before)
    point.position = [staged, placed, problem].compactMap { $0 }.max()
    return point
  }

  /// The unsealed entry with the highest index, unless the job reported that its file could not be read: then nothing
  /// of it follows.
  private func halfSentFile(of job: JobRow) throws(CatalogError) -> HalfSentFile? {
    let select = try statement(
      """
      SELECT s.directory, d.key, s.name, 0, s.content_session, s.content_index, s.device, s.inode, s.attributes,
        s.extents, s.extended_session, s.extended_index
      FROM stage AS s INDEXED BY stage_unsealed JOIN directory AS d ON d.id = s.directory
      WHERE s.job = ?1 AND s.state = 0 AND NOT EXISTS (
        SELECT 1 FROM problem AS p
        WHERE p.job = s.job AND p.directory = s.directory AND p.name = s.name AND p.phase IN (1, 2, 3))
      ORDER BY s.content_index DESC LIMIT 1
      """)
    defer { select.statement.reset() }
    try select.statement.bind(ordered(job.number), at: 1)
    guard try select.statement.step() else { return nil }
    var reader = StateRowReader(self)
    let row = try reader.row(select.statement)
    let index = try select.statement.count(5)
    return HalfSentFile(
      index: index, directory: row.directory, entry: row.entry,
      committed: try committedGroups(of: index, job: job))
  }

  /// The groups that hold nothing but this content: commits leave no gap between them.
  private func committedGroups(of index: UInt64, job: JobRow) throws(CatalogError) -> CommittedGroups {
    let select = try statement(
      """
      SELECT coalesce(max(first_offset), 0), coalesce(sum(raw_length), 0)
      FROM record_group INDEXED BY record_group_content
      WHERE job = ?1 AND kind = 1 AND first_entry = ?2
      """)
    defer { select.statement.reset() }
    try select.statement.bind(ordered(job.number), at: 1)
    try select.statement.bind(ordered(index), at: 2)
    guard try select.statement.step() else { return CommittedGroups(lastOffset: 0, rawByteCount: 0) }
    return CommittedGroups(lastOffset: try select.statement.count(0), rawByteCount: try select.statement.count(1))
  }

  /// Entries that are complete, and the bytes of those whose content this job carried.
  private func keptContents(of job: JobRow) throws(CatalogError) -> (entries: UInt64, bytes: UInt64) {
    let waiting = try keptContents(
      of: job, "SELECT content_session, attributes, extents FROM stage WHERE job = ?1 AND state = 1",
      try ordered(job.number))
    guard try stagesInPlace(job.number) else { return waiting }
    let placed = try keptContents(
      of: job,
      """
      SELECT e.content_session, e.attributes, e.extents
      FROM directory AS d CROSS JOIN entry_current AS e ON e.directory = d.id WHERE d.tree = ?1
      """, job.tree)
    return (waiting.entries + placed.entries, waiting.bytes.addingClamped(placed.bytes))
  }

  private func keptContents(
    of job: JobRow, _ sql: String, _ parameter: Int64
  ) throws(CatalogError) -> (entries: UInt64, bytes: UInt64) {
    let select = try statement(sql)
    defer { select.statement.reset() }
    try select.statement.bind(parameter, at: 1)
    var entries: UInt64 = 0
    var bytes: UInt64 = 0
    while try select.statement.step() {
      entries += 1
      guard select.statement.integer(0) == job.session, select.statement.isNull(2) else { continue }
      guard let decoded = EntryCodec.decode(select.statement.bytes(1), device: 0, inode: 0) else {
        throw .corrupt("a staged entry is damaged")
      }
      bytes = bytes.addingClamped(decoded.seal?.size ?? 0)
    }
    return (entries, bytes)
  }

  private func lastGroup(of job: JobRow) throws(CatalogError) -> UInt64 {
    let select = try statement("SELECT coalesce(max(number), 0) FROM record_group WHERE job = ?1")
    defer { select.statement.reset() }
    try select.statement.bind(ordered(job.number), at: 1)
    return try select.statement.step() ? select.statement.count(0) : 0
  }

  // MARK: Positions

  private static let lastStaged = """
    SELECT d.key, s.name FROM directory AS d CROSS JOIN stage AS s ON s.job = ?1 AND s.directory = d.id
    WHERE d.tree = ?2 AND d.key <= ?3 AND (d.key < ?3 OR s.name < ?4) ORDER BY d.key DESC, s.name DESC LIMIT 1
    """

  private static let lastPlaced = """
    SELECT d.key, e.name FROM directory AS d CROSS JOIN entry_current AS e
      ON e.directory = d.id AND e.first = (SELECT sequence FROM job WHERE number = ?1)
    WHERE d.tree = ?2 AND d.key <= ?3 AND (d.key < ?3 OR e.name < ?4) ORDER BY d.key DESC, e.name DESC LIMIT 1
    """

  /// A path that was asked for and is missing is told at once, wherever the walk is.
  private static let lastProblem = """
    SELECT d.key, p.name FROM problem AS p JOIN directory AS d ON d.id = p.directory
    WHERE p.job = ?1 AND d.tree = ?2 AND p.phase <> 6 AND d.key <= ?3 AND (d.key < ?3 OR p.name < ?4)
    ORDER BY d.key DESC, p.name DESC LIMIT 1
    """

  /// The greatest position that a statement finds before one, or of all.
  private func lastPosition(
    _ sql: String, of job: JobRow, before: CanonicalPosition?
  ) throws(CatalogError) -> CanonicalPosition? {
    let select = try statement(sql)
    defer { select.statement.reset() }
    try select.statement.bind(ordered(job.number), at: 1)
    try select.statement.bind(job.tree, at: 2)
    try select.statement.bind(before?.directory.bytes ?? ByteString(DirectoryRange.end), at: 3)
    try select.statement.bind(before?.name ?? "", at: 4)
    guard try select.statement.step() else { return nil }
    return CanonicalPosition(
      directory: DirectoryKey(keyBytes: Array(select.statement.bytes(0))), name: ByteString(select.statement.bytes(1)))
  }
}
