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
      FROM pg_temp.needed_job AS n JOIN job AS j ON j.number = n.job JOIN session AS s ON s.id = j.session
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
}
