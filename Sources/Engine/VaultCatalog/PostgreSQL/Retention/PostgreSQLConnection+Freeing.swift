import VaultModel

/// Which volumes nothing needs any more.
extension PostgreSQLConnection {
  func retentionMarks() throws(CatalogError) -> RetentionMarks {
    let last = try number("SELECT greatest(last_number, (SELECT max(number) FROM job)) FROM repository")
    var marks = RetentionMarks(lastNumber: UInt64(clamping: last ?? 0), trees: [])
    var trees = try query(
      """
      SELECT id, host, name, first_kept FROM tree AS t
      WHERE EXISTS (SELECT 1 FROM job AS j WHERE j.tree = t.id AND j.dropped IS NOT NULL) ORDER BY id
      """)
    while trees.step() {
      var retention = TreeRetention(
        tree: Tree(host: try trees.text(1), name: ByteString(try trees.bytes(2))), firstKept: try trees.count(3),
        dropped: [], undone: [])
      var jobs = try query(
        """
        SELECT sequence, undone FROM job WHERE tree = $1 AND dropped IS NOT NULL AND sequence >= $2 ORDER BY sequence
        """, [.integer(try trees.integer(0)), .integer(try trees.integer(3))])
      while jobs.step() {
        if try jobs.integer(1) == 0 {
          retention.dropped.append(try jobs.count(0))
        } else {
          retention.undone.append(try jobs.count(0))
        }
      }
      marks.trees.append(retention)
    }
    return marks
  }

  func unneededVolumes() throws(CatalogError) -> [Volume] {
    try gatherNeeds()
    var rows = try query(
      """
      SELECT uuid, name, status, end_file, end_block, labeled FROM volume
      WHERE status <> 'Purged' AND id NOT IN (SELECT id FROM pg_temp.needed_volume) ORDER BY id
      """)
    var volumes: [Volume] = []
    while rows.step() { volumes.append(try Volume(reading: rows)) }
    return volumes
  }

  func neededSessions() throws(CatalogError) -> [NeededSession] {
    try gatherNeeds()
    var rows = try query(
      """
      SELECT s.uuid, (SELECT coalesce(max(g.number), 0) FROM record_group AS g WHERE g.job = j.number)
      FROM job AS j JOIN session AS s ON s.id = j.session
      WHERE j.number IN (SELECT job FROM pg_temp.replayed_job)
        OR j.session IN (SELECT session FROM pg_temp.live_content) OR j.number IN (SELECT job FROM pg_temp.live_group)
      ORDER BY j.number
      """)
    var sessions: [NeededSession] = []
    while rows.step() {
      sessions.append(NeededSession(session: try rows.identifier(0), lastGroup: try rows.count(1)))
    }
    return sessions
  }

  func purgeVolumes(
    _ volumes: [UniqueIdentifier], recording touched: [Volume]
  ) throws(CatalogError) {
    for volume in touched { try recordVolume(volume) }
    for volume in volumes {
      try run("UPDATE volume SET status = 'Purged' WHERE uuid = $1", [volume.serverValue])
    }
  }

  func finishFreeing() throws(CatalogError) {
    try execute(
      """
      DELETE FROM record_group AS g USING group_location AS l, volume AS v
        WHERE v.status = 'Purged' AND l.volume = v.id AND l.copy = 0 AND g.job = l.job AND g.number = l.number;
      DELETE FROM group_location WHERE volume IN (SELECT id FROM volume WHERE status = 'Purged');
      DELETE FROM extended_list AS x WHERE job IN (SELECT number FROM job WHERE dropped IS NOT NULL)
        AND NOT EXISTS (
          SELECT 1 FROM record_group AS g WHERE g.job = x.job AND g.number BETWEEN x.first_group AND x.last_group);
      DELETE FROM volume WHERE status = 'Purged';
      UPDATE repository SET freeing = 0
      """)
  }

  // MARK: What is needed

  /// Fills temporary tables: jobs whose attributes a rebuilt catalog replays, contents and lists of extended attributes
  /// that rows refer to, and the volumes that hold any of these.
  private func gatherNeeds() throws(CatalogError) {
    try execute(
      """
      SET LOCAL enable_hashjoin = on;
      SET LOCAL enable_mergejoin = on;
      CREATE TEMP TABLE replayed_job(job int8 PRIMARY KEY) ON COMMIT DROP;
      CREATE TEMP TABLE live_content(session int8, number int8, PRIMARY KEY (session, number)) ON COMMIT DROP;
      CREATE TEMP TABLE live_group(job int8, number int8, PRIMARY KEY (job, number)) ON COMMIT DROP;
      CREATE TEMP TABLE live_list(session int8, number int8, PRIMARY KEY (session, number)) ON COMMIT DROP;
      CREATE TEMP TABLE needed_volume(id int8 PRIMARY KEY) ON COMMIT DROP;
      INSERT INTO pg_temp.replayed_job
        SELECT j.number FROM job AS j JOIN tree AS t ON t.id = j.tree
        WHERE j.dropped IS NULL OR (j.undone = 0 AND j.sequence >= t.first_kept)
      """)
    for table in ["entry_current", "entry_past", "stage"] {
      try execute(
        """
        INSERT INTO pg_temp.live_content SELECT DISTINCT content_session, content_index FROM \(table)
          WHERE content_session IS NOT NULL AND content_index IS NOT NULL ON CONFLICT DO NOTHING;
        INSERT INTO pg_temp.live_list SELECT DISTINCT extended_session, extended_index FROM \(table)
          WHERE extended_session IS NOT NULL ON CONFLICT DO NOTHING
        """)
      try gatherExtents(of: table)
    }
    try execute(
      """
      INSERT INTO pg_temp.live_group
        SELECT DISTINCT g.job, g.number FROM pg_temp.live_list AS x JOIN job AS j ON j.session = x.session
          JOIN extended_list AS l ON l.job = j.number AND l.entry = x.number
          JOIN record_group AS g ON g.job = l.job AND g.number BETWEEN l.first_group AND l.last_group
        WHERE g.kind = 2 ON CONFLICT DO NOTHING;
      ANALYZE pg_temp.live_content, pg_temp.live_group, pg_temp.replayed_job;
      INSERT INTO pg_temp.needed_volume
        SELECT DISTINCT l.volume
        FROM group_location AS l JOIN record_group AS g ON g.job = l.job AND g.number = l.number
          JOIN job AS j ON j.number = l.job
        WHERE (g.kind = 2 AND l.job IN (SELECT job FROM pg_temp.replayed_job))
          OR (j.dropped IS NULL AND j.status NOT IN ('T', 'W'))
          OR EXISTS (SELECT 1 FROM pg_temp.live_group AS x WHERE x.job = l.job AND x.number = l.number)
        ON CONFLICT DO NOTHING;
      INSERT INTO pg_temp.needed_volume
        SELECT DISTINCT l.volume FROM (
          SELECT job, number, first_entry AS low,
            lead(first_entry) OVER following - (lead(first_offset) OVER following = 0)::int AS high
          FROM record_group WHERE kind = 1
          WINDOW following AS (PARTITION BY job ORDER BY first_entry, first_offset, number)
        ) AS g JOIN job AS j ON j.number = g.job
          JOIN group_location AS l ON l.job = g.job AND l.number = g.number
        WHERE EXISTS (
          SELECT 1 FROM pg_temp.live_content AS c
          WHERE c.session = j.session AND c.number >= g.low AND c.number <= coalesce(g.high, \(Int64.max)))
        ON CONFLICT DO NOTHING
      """)
  }

  /// Notes the groups that pieces of contents lie in; see `ExtentCodec` for the bytes.
  private func gatherExtents(of table: String) throws(CatalogError) {
    let size = ExtentCodec.extentByteCount
    let damaged = try number(
      "SELECT count(*) FROM \(table) WHERE extents IS NOT NULL AND octet_length(extents) % \(size) <> 0")
    guard damaged == 0 else { throw .corrupt("the pieces of a content are damaged") }
    let group = (0..<8).map { "(get_byte(e.extents, \(size) * i + \(16 + $0))::int8 << \($0 * 8))" }
    try execute(
      """
      INSERT INTO pg_temp.live_group
        SELECT DISTINCT j.number, x.number FROM (
          SELECT substring(e.extents, \(size) * i + 1, 16) AS uuid, \(group.joined(separator: " | ")) AS number
          FROM \(table) AS e CROSS JOIN LATERAL generate_series(0, octet_length(e.extents) / \(size) - 1) AS i
          WHERE e.extents IS NOT NULL
        ) AS x JOIN session AS s ON s.uuid = x.uuid JOIN job AS j ON j.session = s.id
        ON CONFLICT DO NOTHING
      """)
  }
}
