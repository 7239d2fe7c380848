import VaultModel

/// What a rebuilt catalog and restores need of what the volumes hold.
extension PostgreSQLConnection {
  /// Fills temporary tables: jobs whose attributes a rebuilt catalog replays, contents and lists of extended attributes
  /// that rows refer to, the groups that hold any of these, their jobs and their volumes; part of a transaction, which
  /// must see one snapshot.
  ///
  /// Of a tree that nothing was dropped from every group is needed: a rebuilt catalog takes a missing one for damage.
  func gatherNeeds() throws(CatalogError) {
    try allowWholeJoins()
    try execute(
      """
      CREATE TEMP TABLE replayed_job(job int8 PRIMARY KEY) ON COMMIT DROP;
      CREATE TEMP TABLE live_content(session int8, number int8, PRIMARY KEY (session, number)) ON COMMIT DROP;
      CREATE TEMP TABLE live_group(job int8, number int8, PRIMARY KEY (job, number)) ON COMMIT DROP;
      CREATE TEMP TABLE live_list(session int8, number int8, PRIMARY KEY (session, number)) ON COMMIT DROP;
      CREATE TEMP TABLE needed_job(job int8 PRIMARY KEY) ON COMMIT DROP;
      CREATE TEMP TABLE gathered_group(job int8, number int8, PRIMARY KEY (job, number)) ON COMMIT DROP;
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
      """)
    try gatherGroups()
    try execute(
      """
      ANALYZE pg_temp.gathered_group;
      INSERT INTO pg_temp.needed_job
        SELECT number FROM job WHERE number IN (SELECT job FROM pg_temp.replayed_job)
          OR session IN (SELECT session FROM pg_temp.live_content) OR number IN (SELECT job FROM pg_temp.live_group);
      INSERT INTO pg_temp.needed_volume
        SELECT DISTINCT l.volume FROM pg_temp.gathered_group AS n
          JOIN group_location AS l ON l.job = n.job AND l.number = n.number
      """)
  }

  private func gatherGroups() throws(CatalogError) {
    try execute(
      """
      INSERT INTO pg_temp.gathered_group
        SELECT g.job, g.number FROM record_group AS g JOIN job AS j ON j.number = g.job
        WHERE (g.kind = 2 AND g.job IN (SELECT job FROM pg_temp.replayed_job))
          OR (j.dropped IS NULL AND j.status NOT IN ('T', 'W'))
          OR j.tree NOT IN (SELECT tree FROM job WHERE dropped IS NOT NULL)
          OR EXISTS (SELECT 1 FROM pg_temp.live_group AS x WHERE x.job = g.job AND x.number = g.number);
      INSERT INTO pg_temp.gathered_group
        SELECT g.job, g.number FROM (
          SELECT job, number, first_entry AS low,
            lead(first_entry) OVER following - (lead(first_offset) OVER following = 0)::int AS high
          FROM record_group WHERE kind = 1
          WINDOW following AS (PARTITION BY job ORDER BY first_entry, first_offset, number)
        ) AS g JOIN job AS j ON j.number = g.job
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
