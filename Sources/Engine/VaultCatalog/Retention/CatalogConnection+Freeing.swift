import VaultModel

/// Which volumes nothing needs any more.
extension CatalogConnection {
  func isFreeing() throws(CatalogError) -> Bool { try number("SELECT freeing FROM repository") != 0 }

  func reserveJobNumbers(through last: JobNumber) throws(CatalogError) {
    try transaction { () throws(CatalogError) in
      let update = try statement("UPDATE repository SET last_number = max(last_number, ?1)")
      try update.statement.bind(ordered(last), at: 1)
      try update.statement.run()
    }
  }

  func retentionMarks() throws(CatalogError) -> RetentionMarks {
    let last = try number(
      "SELECT max((SELECT coalesce(max(number), 0) FROM job), (SELECT last_number FROM repository))")
    let trees = try statement(
      """
      SELECT id, host, name, first_kept FROM tree AS t
      WHERE EXISTS (SELECT 1 FROM job AS j WHERE j.tree = t.id AND j.dropped IS NOT NULL) ORDER BY id
      """)
    defer { trees.statement.reset() }
    var marks = RetentionMarks(lastNumber: UInt64(max(0, last)), trees: [])
    while try trees.statement.step() {
      var retention = TreeRetention(
        tree: Tree(host: try trees.statement.text(1), name: ByteString(trees.statement.bytes(2))),
        firstKept: try trees.statement.count(3), dropped: [], undone: [])
      let jobs = try statement(
        """
        SELECT sequence, undone FROM job WHERE tree = ?1 AND dropped IS NOT NULL AND sequence >= ?2 ORDER BY sequence
        """)
      defer { jobs.statement.reset() }
      try jobs.statement.bind(trees.statement.integer(0), at: 1)
      try jobs.statement.bind(trees.statement.integer(3), at: 2)
      while try jobs.statement.step() {
        let sequence = try jobs.statement.count(0)
        if jobs.statement.integer(1) == 0 {
          retention.dropped.append(sequence)
        } else {
          retention.undone.append(sequence)
        }
      }
      marks.trees.append(retention)
    }
    return marks
  }

  func unneededVolumes() throws(CatalogError) -> [Volume] {
    try gatherNeeds()
    let select = try statement(
      """
      SELECT uuid FROM volume AS v WHERE status <> 'Purged' AND id NOT IN (SELECT id FROM temp.needed_volume) ORDER BY id
      """)
    defer { select.statement.reset() }
    var unneeded: Set<UniqueIdentifier> = []
    while try select.statement.step() { unneeded.insert(try select.statement.identifier(0)) }
    return try volumes().filter { unneeded.contains($0.identifier) }
  }

  func neededSessions() throws(CatalogError) -> [NeededSession] {
    try gatherNeeds()
    let select = try statement(
      """
      SELECT s.uuid, (SELECT coalesce(max(g.number), 0) FROM record_group AS g WHERE g.job = j.number)
      FROM job AS j JOIN session AS s ON s.id = j.session
      WHERE j.number IN (SELECT job FROM temp.replayed_job)
        OR j.session IN (SELECT session FROM temp.live_content) OR j.number IN (SELECT job FROM temp.live_group)
      ORDER BY j.number
      """)
    defer { select.statement.reset() }
    var sessions: [NeededSession] = []
    while try select.statement.step() {
      sessions.append(
        NeededSession(session: try select.statement.identifier(0), lastGroup: try select.statement.count(1)))
    }
    return sessions
  }

  func purgeVolumes(
    _ volumes: [UniqueIdentifier], recording touched: [Volume]
  ) throws(CatalogError) {
    try transaction { () throws(CatalogError) in
      for volume in touched { try recordVolume(volume) }
      let update = try statement("UPDATE volume SET status = 'Purged' WHERE uuid = ?1")
      for volume in volumes {
        try volume.withBytes { bytes throws(CatalogError) in try update.statement.bind(copying: bytes, at: 1) }
        try update.statement.run()
      }
    }
  }

  func finishFreeing() throws(CatalogError) {
    try transaction { () throws(CatalogError) in
      try execute(
        """
        DELETE FROM record_group WHERE (job, number) IN (
          SELECT job, number FROM group_location WHERE copy = 0
            AND volume IN (SELECT id FROM volume WHERE status = 'Purged'));
        DELETE FROM group_location WHERE volume IN (SELECT id FROM volume WHERE status = 'Purged');
        DELETE FROM extended_list WHERE job IN (SELECT number FROM job WHERE dropped IS NOT NULL)
          AND NOT EXISTS (
            SELECT 1 FROM record_group AS g WHERE g.job = extended_list.job
              AND g.number BETWEEN extended_list.first_group AND extended_list.last_group);
        DELETE FROM volume WHERE status = 'Purged';
        UPDATE repository SET freeing = 0;
        """)
    }
  }

  // MARK: What is needed

  /// Fills temporary tables: jobs whose attributes a rebuilt catalog replays, contents and lists of extended attributes
  /// that rows refer to, and the volumes that hold any of these.
  private func gatherNeeds() throws(CatalogError) {
    try execute(
      """
      CREATE TEMP TABLE IF NOT EXISTS replayed_job(job INTEGER PRIMARY KEY);
      CREATE TEMP TABLE IF NOT EXISTS live_content(session INTEGER, number INTEGER, PRIMARY KEY (session, number))
        WITHOUT ROWID;
      CREATE TEMP TABLE IF NOT EXISTS live_group(job INTEGER, number INTEGER, PRIMARY KEY (job, number)) WITHOUT ROWID;
      CREATE TEMP TABLE IF NOT EXISTS live_list(session INTEGER, number INTEGER, PRIMARY KEY (session, number))
        WITHOUT ROWID;
      CREATE TEMP TABLE IF NOT EXISTS needed_volume(id INTEGER PRIMARY KEY);
      DELETE FROM temp.replayed_job;
      DELETE FROM temp.live_content;
      DELETE FROM temp.live_group;
      DELETE FROM temp.live_list;
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
      INSERT OR IGNORE INTO temp.needed_volume
        SELECT l.volume FROM group_location AS l CROSS JOIN record_group AS g ON g.job = l.job AND g.number = l.number
          CROSS JOIN job AS j ON j.number = l.job
        WHERE (g.kind = 2 AND l.job IN (SELECT job FROM temp.replayed_job))
          OR (j.dropped IS NULL AND j.status NOT IN ('T', 'W'))
          OR EXISTS (SELECT 1 FROM temp.live_group AS x WHERE x.job = l.job AND x.number = l.number);
      INSERT OR IGNORE INTO temp.needed_volume
        SELECT l.volume FROM (
          SELECT job, number, first_entry AS low,
            lead(first_entry) OVER following - (lead(first_offset) OVER following = 0) AS high
          FROM record_group INDEXED BY record_group_content WHERE kind = 1
          WINDOW following AS (PARTITION BY job ORDER BY first_entry, first_offset, number)
        ) AS g CROSS JOIN job AS j ON j.number = g.job
          CROSS JOIN group_location AS l ON l.job = g.job AND l.number = g.number
        WHERE EXISTS (
          SELECT 1 FROM temp.live_content AS c
          WHERE c.session = j.session AND c.number >= g.low AND c.number <= coalesce(g.high, \(Int64.max)));
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
