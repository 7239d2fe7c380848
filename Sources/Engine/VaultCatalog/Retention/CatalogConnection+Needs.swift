import VaultModel

/// What a rebuilt catalog and restores need of what the volumes hold.
extension CatalogConnection {
  /// Fills temporary tables: jobs whose attributes a rebuilt catalog replays, contents and lists of extended attributes
  /// that rows refer to, the groups that hold any of these, their jobs and their volumes.
  ///
  /// Of a tree that nothing was dropped from every group is needed: a rebuilt catalog takes a missing one for damage.
  func gatherNeeds() throws(CatalogError) {
    try execute(
      """
      CREATE TEMP TABLE IF NOT EXISTS replayed_job(job INTEGER PRIMARY KEY);
      CREATE TEMP TABLE IF NOT EXISTS live_content(session INTEGER, number INTEGER, PRIMARY KEY (session, number))
        WITHOUT ROWID;
      CREATE TEMP TABLE IF NOT EXISTS live_group(job INTEGER, number INTEGER, PRIMARY KEY (job, number)) WITHOUT ROWID;
      CREATE TEMP TABLE IF NOT EXISTS live_list(session INTEGER, number INTEGER, PRIMARY KEY (session, number))
        WITHOUT ROWID;
      CREATE TEMP TABLE IF NOT EXISTS needed_job(job INTEGER PRIMARY KEY);
      CREATE TEMP TABLE IF NOT EXISTS needed_group(job INTEGER, number INTEGER, PRIMARY KEY (job, number))
        WITHOUT ROWID;
      CREATE TEMP TABLE IF NOT EXISTS needed_volume(id INTEGER PRIMARY KEY);
      DELETE FROM temp.replayed_job;
      DELETE FROM temp.live_content;
      DELETE FROM temp.live_group;
      DELETE FROM temp.live_list;
      DELETE FROM temp.needed_job;
      DELETE FROM temp.needed_group;
      DELETE FROM temp.needed_volume;
      INSERT INTO temp.replayed_job
        SELECT j.number FROM job AS j JOIN tree AS t ON t.id = j.tree
        WHERE j.dropped IS NULL OR (j.undone = 0 AND j.sequence >= t.first_kept);
      """)
    for table in ["entry_current", "entry_past", "stage"] {
      try execute(
        """
        INSERT OR IGNORE INTO temp.live_content SELECT content_session, content_index FROM \(table)
        WHERE content_session IS NOT NULL AND content_index IS NOT NULL
        """)
      try gatherExtents(of: table)
      try execute(
        """
        INSERT OR IGNORE INTO temp.live_list SELECT extended_session, extended_index FROM \(table)
        WHERE extended_session IS NOT NULL
        """)
    }
    try execute(
      """
      INSERT OR IGNORE INTO temp.live_group
        SELECT g.job, g.number FROM temp.live_list AS x CROSS JOIN job AS j ON j.session = x.session
          CROSS JOIN extended_list AS l ON l.job = j.number AND l.entry = x.number
          CROSS JOIN record_group AS g ON g.job = l.job AND g.number BETWEEN l.first_group AND l.last_group
        WHERE g.kind = 2;
      INSERT OR IGNORE INTO temp.needed_group
        SELECT g.job, g.number FROM record_group AS g CROSS JOIN job AS j ON j.number = g.job
        WHERE (g.kind = 2 AND g.job IN (SELECT job FROM temp.replayed_job))
          OR (j.dropped IS NULL AND j.status NOT IN ('T', 'W'))
          OR j.tree NOT IN (SELECT tree FROM job WHERE dropped IS NOT NULL)
          OR EXISTS (SELECT 1 FROM temp.live_group AS x WHERE x.job = g.job AND x.number = g.number);
      INSERT OR IGNORE INTO temp.needed_group
        SELECT g.job, g.number FROM (
          SELECT job, number, first_entry AS low,
            lead(first_entry) OVER following - (lead(first_offset) OVER following = 0) AS high
          FROM record_group INDEXED BY record_group_content WHERE kind = 1
          WINDOW following AS (PARTITION BY job ORDER BY first_entry, first_offset, number)
        ) AS g CROSS JOIN job AS j ON j.number = g.job
        WHERE EXISTS (
          SELECT 1 FROM temp.live_content AS c
          WHERE c.session = j.session AND c.number >= g.low AND c.number <= coalesce(g.high, \(Int64.max)));
      INSERT INTO temp.needed_job
        SELECT number FROM job WHERE number IN (SELECT job FROM temp.replayed_job)
          OR session IN (SELECT session FROM temp.live_content) OR number IN (SELECT job FROM temp.live_group);
      INSERT OR IGNORE INTO temp.needed_volume
        SELECT l.volume FROM temp.needed_group AS n
          CROSS JOIN group_location AS l ON l.job = n.job AND l.number = n.number;
      """)
  }

  /// Notes the groups that pieces of contents lie in.
  private func gatherExtents(of table: String) throws(CatalogError) {
    let select = try statement("SELECT extents FROM \(table) WHERE extents IS NOT NULL")
    defer { select.statement.reset() }
    let insert = try statement(
      "INSERT OR IGNORE INTO temp.live_group SELECT number, ?2 FROM job WHERE session = ?1")
    while try select.statement.step() {
      guard let extents = ExtentCodec.decode(select.statement.bytes(0)) else {
        throw .corrupt("the pieces of a content are damaged")
      }
      for extent in extents {
        guard let session = try knownSessionNumber(extent.session) else { continue }
        try insert.statement.bind(session, at: 1)
        try insert.statement.bind(ordered(extent.group), at: 2)
        try insert.statement.run()
      }
    }
  }
}
