import VaultModel

/// A commit's rows on their way from temporary tables into the catalog's.
extension PostgreSQLConnection {
  /// Adds what was gathered for a commit; part of a transaction.
  func apply(_ staging: PostgreSQLStaging, _ commit: CommitHeader, of job: JobRow) throws(CatalogError) {
    if job.record.lastCommit == 0 { try chooseWhereToStage(job) }
    try applyDirectories(staging, tree: job.tree)
    try applyRows(staging, job: job)
    try applyProblems(staging, job: job)
    try applyLists(staging, job: job)
    try applyOwners(staging, job: job)
    // Last, for jobs that write on one volume wait here for each other.
    for volume in commit.volumes.sorted(by: {
      ($0.identifier.high, $0.identifier.low) < ($1.identifier.high, $1.identifier.low)
    }) {
      try recordVolume(volume)
    }
    try applyLocations(staging, job: job)
    try run(
      """
      UPDATE job SET last_commit = $2, attempt = greatest(attempt, $3), next_entry = $4,
        status = CASE WHEN status IN ('f', 'A') THEN status ELSE 'R' END
      WHERE number = $1
      """,
      [
        .integer(ordered(job.number)), .integer(ordered(commit.number)), .integer(Int64(commit.attempt)),
        .integer(ordered(staging.nextEntry)),
      ])
  }

  /// Gives directories their numbers, in `known_directory`.
  private func applyDirectories(_ staging: PostgreSQLStaging, tree: Int64) throws(CatalogError) {
    guard !staging.directories.isEmpty else { return }
    try execute(
      """
      CREATE TEMP TABLE incoming_directory(handle int8, key bytea) ON COMMIT DROP;
      CREATE TEMP TABLE known_directory(handle int8 PRIMARY KEY, id int8) ON COMMIT DROP
      """)
    try copy(staging.directories, to: "pg_temp.incoming_directory")
    // Looked up one by one through the index: of tables that are filled a moment ago the planner knows nothing, and a join
    // of two becomes a loop within a loop.
    let number = "(SELECT d.id FROM directory AS d WHERE d.tree = $1 AND sha256(d.key) = sha256(i.key))"
    try run(
      """
      INSERT INTO directory(tree, key)
      SELECT DISTINCT $1::int8, i.key FROM pg_temp.incoming_directory AS i WHERE \(number) IS NULL
      ORDER BY i.key ON CONFLICT (tree, sha256(key)) DO NOTHING
      """, [.integer(tree)])
    // What another job of the tree made in between is there now, too.
    try run(
      "INSERT INTO pg_temp.known_directory(handle, id) SELECT i.handle, \(number) FROM pg_temp.incoming_directory AS i",
      [.integer(tree)])
  }

  private func applyRows(_ staging: PostgreSQLStaging, job: JobRow) throws(CatalogError) {
    guard !staging.rows.isEmpty else { return }
    let sessions = try sessionNumbers(staging.sessions)
    let inPlace = try stagesInPlace(job.number)
    if try applyNewRows(staging, job: job, sessions, inPlace: inPlace) { return }
    try execute(
      """
      CREATE TEMP TABLE incoming_row(
        ordinal int8, directory int8, name bytea, state int8, content_session int8, content_index int8, device int8,
        inode int8, attributes bytea, extents bytea, extended_session int8, extended_index int8) ON COMMIT DROP
      """)
    try copy(staging.rows, to: "pg_temp.incoming_row")
    if staging.segments.count > 2 { try execute("CREATE INDEX ON pg_temp.incoming_row(ordinal)") }
    try execute("ANALYZE pg_temp.incoming_row")
    if !staging.directories.isEmpty { try execute("ANALYZE pg_temp.known_directory") }
    for (index, segment) in staging.segments.enumerated() {
      let end = index + 1 < staging.segments.count ? staging.segments[index + 1].first : staging.rows.rowCount
      if segment.isSeals {
        try applySeals(segment.first..<end, job: job)
      } else {
        try applyRows(segment.first..<end, job: job, sessions)
      }
    }
    guard inPlace, !staging.directories.isEmpty else { return }
    try run(
      "DELETE FROM entry_current AS e USING \(Self.stagedHere) AND e.tree = $2 AND \(Self.isSameName)",
      [.integer(ordered(job.number)), .integer(job.tree)])
  }

  /// Sends rows straight to where they belong; false, with nothing done, when they seal or replace any.
  private func applyNewRows(
    _ staging: PostgreSQLStaging, job: JobRow, _ sessions: [Int64], inPlace: Bool
  ) throws(CatalogError) -> Bool {
    guard staging.segments.count == 1, staging.segments.first?.isSeals == false else { return false }
    var known = try query("SELECT id FROM pg_temp.known_directory ORDER BY handle")
    var directories: [Int64] = []
    directories.reserveCapacity(Int(known.rowCount))
    while known.step() { directories.append(try known.integer(0)) }
    var numbers = StagedRowNumbers(
      job: try ordered(job.number), directories: directories, sessions: sessions, rows: inPlace ? .withoutEntries : .all
    )
    try execute("SAVEPOINT rows")
    do throws(CatalogError) {
      let stage = "stage(job, directory, name, state, \(Self.contentColumns))"
      try copy(staging.rows, to: stage) { rows throws(CatalogError) in try numbers.write(into: rows) }
      if inPlace {
        numbers.rows = .entries(tree: job.tree, sequence: try ordered(job.record.description.sequence))
        let current = "entry_current(tree, directory, name, first, \(Self.contentColumns))"
        try copy(staging.rows, to: current) { rows throws(CatalogError) in try numbers.write(into: rows) }
        let doubled = try number(
          "SELECT 1::int8 FROM entry_current AS e, \(Self.stagedHere) AND e.tree = $2 AND \(Self.isSameName) LIMIT 1",
          [.integer(ordered(job.number)), .integer(job.tree)])
        if doubled != nil {
          try execute("ROLLBACK TO SAVEPOINT rows")
          return false
        }
      }
    } catch  where error.kind == .server("23505") {
      try execute("ROLLBACK TO SAVEPOINT rows")
      return false
    }
    try execute("RELEASE SAVEPOINT rows")
    return true
  }

  // MARK: In place

  private static let contentColumns = """
    content_session, content_index, device, inode, attributes, extents, extended_session, extended_index
    """

  /// Rows of job $1 that wait in `stage`, in the directories of this commit; a condition follows.
  private static let stagedHere =
    "stage AS s WHERE s.job = $1 AND s.directory IN (SELECT k.id FROM pg_temp.known_directory AS k)"
  private static let isSameName = "e.directory = s.directory AND e.name = s.name"

  /// Lets the first job of a tree that has no state stage its entries in place: nobody else has rows there.
  private func chooseWhereToStage(_ job: JobRow) throws(CatalogError) {
    try run(
      """
      UPDATE job SET in_place = 1 WHERE number = $1 AND NOT EXISTS (
        SELECT 1 FROM job AS k
        WHERE k.tree = $2 AND (k.in_place = 1 OR (k.status IN ('T', 'W') AND k.dropped IS NULL)))
      """, [.integer(ordered(job.number)), .integer(job.tree)])
  }

  /// Whether a job's entries are staged where they are to stay, in `entry_current`.
  ///
  /// A name has one row: what is no entry yet, or replaced one, waits in `stage` as ever.
  func stagesInPlace(_ number: JobNumber) throws(CatalogError) -> Bool {
    try self.number("SELECT in_place FROM job WHERE number = $1", [.integer(ordered(number))]) == 1
  }

  /// Of rows with one name the last one counts; it replaces what an earlier commit staged.
  private func applyRows(_ ordinals: Range<Int64>, job: JobRow, _ sessions: [Int64]) throws(CatalogError) {
    try run(
      """
      INSERT INTO stage(job, directory, name, state, \(Self.contentColumns))
      SELECT DISTINCT ON (k.id, i.name) $1::int8, k.id, i.name, i.state, ($2::int8[])[i.content_session],
        i.content_index, i.device, i.inode, i.attributes, i.extents, ($2::int8[])[i.extended_session], i.extended_index
      FROM pg_temp.incoming_row AS i JOIN pg_temp.known_directory AS k ON k.handle = i.directory
      WHERE i.ordinal >= $3 AND i.ordinal < $4
      ORDER BY k.id, i.name, i.ordinal DESC
      ON CONFLICT (job, directory, name) DO UPDATE SET state = excluded.state,
        content_session = excluded.content_session, content_index = excluded.content_index, device = excluded.device,
        inode = excluded.inode, attributes = excluded.attributes, extents = excluded.extents,
        extended_session = excluded.extended_session, extended_index = excluded.extended_index
      """,
      [
        .integer(ordered(job.number)), .integers(sessions), .integer(ordinals.lowerBound),
        .integer(ordinals.upperBound),
      ])
  }

  /// Appends seals to staged entries and marks these as sealed.
  private func applySeals(_ ordinals: Range<Int64>, job: JobRow) throws(CatalogError) {
    let range: [ServerValue] = [
      .integer(try ordered(job.number)), .integer(ordinals.lowerBound), .integer(ordinals.upperBound),
    ]
    let missing = try number(
      """
      SELECT i.content_index FROM pg_temp.incoming_row AS i
      WHERE i.ordinal >= $2 AND i.ordinal < $3 AND (
        SELECT count(*) FROM stage AS s
        WHERE s.job = $1 AND s.content_index = i.content_index AND s.state = 0
          AND octet_length(s.attributes) > \(EntryCodec.flagsOffset)) <> 1
      LIMIT 1
      """, range)
    if let missing { throw .noSuchSeal(UInt64(clamping: missing)) }
    try run(
      """
      UPDATE stage AS s SET state = \(StageState.entry), attributes = set_byte(s.attributes, \(EntryCodec.flagsOffset),
        get_byte(s.attributes, \(EntryCodec.flagsOffset)) | \(EntryCodec.sealedFlag)) || i.attributes
      FROM pg_temp.incoming_row AS i
      WHERE i.ordinal >= $2 AND i.ordinal < $3 AND s.job = $1 AND s.content_index = i.content_index AND s.state = 0
      """, range)
  }

  private func applyProblems(_ staging: PostgreSQLStaging, job: JobRow) throws(CatalogError) {
    guard !staging.problems.isEmpty else { return }
    try execute(
      """
      CREATE TEMP TABLE incoming_problem(ordinal int8, directory int8, name bytea, phase int8, error_number int8)
      ON COMMIT DROP
      """)
    try copy(staging.problems, to: "pg_temp.incoming_problem")
    try run(
      """
      INSERT INTO problem(job, number, directory, name, phase, error_number)
      SELECT $1::int8, i.ordinal + 1 + (SELECT coalesce(max(number), 0) FROM problem WHERE job = $1), k.id, i.name,
        i.phase, i.error_number
      FROM pg_temp.incoming_problem AS i JOIN pg_temp.known_directory AS k ON k.handle = i.directory
      """, [.integer(ordered(job.number))])
  }

  private func applyLists(_ staging: PostgreSQLStaging, job: JobRow) throws(CatalogError) {
    guard !staging.lists.isEmpty else { return }
    try execute("CREATE TEMP TABLE incoming_list(entry int8, number int8) ON COMMIT DROP")
    try copy(staging.lists, to: "pg_temp.incoming_list")
    try run(
      """
      INSERT INTO extended_list AS l (job, entry, first_group, last_group)
      SELECT $1::int8, entry, min(number), max(number) FROM pg_temp.incoming_list GROUP BY entry
      ON CONFLICT (job, entry) DO UPDATE SET first_group = least(l.first_group, excluded.first_group),
        last_group = greatest(l.last_group, excluded.last_group)
      """, [.integer(ordered(job.number))])
  }

  /// A name gets a row only where it differs from what the last row before says.
  private func applyOwners(_ staging: PostgreSQLStaging, job: JobRow) throws(CatalogError) {
    guard !staging.owners.isEmpty else { return }
    try execute("CREATE TEMP TABLE incoming_owner(ordinal int8, kind int8, number int8, name bytea) ON COMMIT DROP")
    try copy(staging.owners, to: "pg_temp.incoming_owner")
    try run(
      """
      INSERT INTO owner_name(tree, kind, number, sequence, name)
      SELECT $1::int8, x.kind, x.number, $2::int8, x.name
      FROM (
        SELECT DISTINCT ON (kind, number) kind, number, name FROM pg_temp.incoming_owner
        ORDER BY kind, number, ordinal DESC
      ) AS x
      WHERE x.name <> coalesce((
        SELECT o.name FROM owner_name AS o
        WHERE o.tree = $1 AND o.kind = x.kind AND o.number = x.number AND o.sequence <= $2
        ORDER BY o.sequence DESC LIMIT 1), ''::bytea)
      ON CONFLICT (tree, kind, number, sequence) DO UPDATE SET name = excluded.name
      """, [.integer(job.tree), .integer(ordered(job.record.description.sequence))])
  }

  private func applyLocations(_ staging: PostgreSQLStaging, job: JobRow) throws(CatalogError) {
    guard !staging.locations.isEmpty else { return }
    try execute(
      """
      CREATE TEMP TABLE incoming_location(
        ordinal int8, number int8, kind int8, first_entry int8, first_offset int8, raw_length int8, volume bytea,
        file int8, block int8, stored_length int8) ON COMMIT DROP
      """)
    try copy(staging.locations, to: "pg_temp.incoming_location")
    var lost = try query(
      """
      SELECT i.volume FROM pg_temp.incoming_location AS i
      WHERE NOT EXISTS (SELECT 1 FROM volume AS v WHERE v.uuid = i.volume) LIMIT 1
      """)
    if lost.step() {
      throw CatalogError(
        .notFound, "a group lies on volume \(try lost.identifier(0)), which neither the commit nor the catalog lists")
    }
    try run(
      """
      INSERT INTO record_group(job, number, kind, first_entry, first_offset, raw_length)
      SELECT DISTINCT ON (number) $1::int8, number, kind, first_entry, first_offset, raw_length
      FROM pg_temp.incoming_location ORDER BY number, ordinal DESC
      ON CONFLICT (job, number) DO UPDATE SET kind = excluded.kind, first_entry = excluded.first_entry,
        first_offset = excluded.first_offset, raw_length = excluded.raw_length
      """, [.integer(ordered(job.number))])
    try run(
      """
      INSERT INTO group_location(job, number, copy, volume, file, block, stored_length)
      SELECT DISTINCT ON (number) $1::int8, number, 0, (SELECT v.id FROM volume AS v WHERE v.uuid = i.volume), file,
        block, stored_length
      FROM pg_temp.incoming_location AS i ORDER BY number, ordinal DESC
      ON CONFLICT (job, number, copy) DO UPDATE SET volume = excluded.volume, file = excluded.file,
        block = excluded.block, stored_length = excluded.stored_length
      """, [.integer(ordered(job.number))])
  }
}
