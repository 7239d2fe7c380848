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
      FROM temp.needed_job AS n CROSS JOIN job AS j ON j.number = n.job JOIN session AS s ON s.id = j.session
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
}
