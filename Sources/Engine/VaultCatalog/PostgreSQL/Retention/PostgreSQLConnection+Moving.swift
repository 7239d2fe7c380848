import VaultModel

/// How much of each volume is needed, and groups that move to the volume which takes another's place.
extension PostgreSQLConnection {
  /// How much of each volume is needed as `gatherNeeds` found it; part of the same transaction.
  func volumeNeeds() throws(CatalogError) -> [VolumeNeed] {
    var rows = try query(
      """
      SELECT v.uuid, coalesce(b.bytes, 0), coalesce(c.jobs, 0),
        (v.id IN (
          SELECT l.volume FROM job AS j JOIN group_location AS l ON l.job = j.number
          WHERE j.status IN ('C', 'R', 'I') AND j.dropped IS NULL AND NOT EXISTS (
            SELECT 1 FROM job AS k WHERE k.tree = j.tree AND k.sequence > j.sequence AND k.status IN ('T', 'W')
              AND k.dropped IS NULL)))::int::int8,
        (v.id IN (SELECT id FROM pg_temp.needed_volume))::int::int8
      FROM volume AS v
        LEFT JOIN (
          SELECT volume, sum((bytes + 4223) / 4096 * 4096)::int8 AS bytes FROM (
            SELECT l.volume, sum(l.stored_length)::int8 AS bytes
            FROM group_location AS l JOIN pg_temp.gathered_group AS n ON n.job = l.job AND n.number = l.number
            GROUP BY l.volume, l.file, l.block
          ) AS blocks GROUP BY volume
        ) AS b ON b.volume = v.id
        LEFT JOIN (
          SELECT volume, count(DISTINCT job) AS jobs FROM group_location
          WHERE job IN (SELECT job FROM pg_temp.needed_job) GROUP BY volume
        ) AS c ON c.volume = v.id
      WHERE v.status <> 'Purged' ORDER BY v.id
      """)
    let volumes = Dictionary(try self.volumes().map { ($0.identifier, $0) }) { first, _ in first }
    var needs: [VolumeNeed] = []
    while rows.step() {
      guard let volume = volumes[try rows.identifier(0)] else { continue }
      needs.append(
        VolumeNeed(
          volume: volume, groupByteCount: try rows.count(1), jobCount: try rows.count(2),
          isGoingOn: try rows.integer(3) != 0, isNeeded: try rows.integer(4) != 0))
    }
    return needs
  }

  /// Keeps the groups that `gatherNeeds` found for later calls; part of the same transaction.
  func noteNeeds() throws(CatalogError) {
    try execute(
      """
      TRUNCATE needed_group;
      INSERT INTO needed_group(job, number) SELECT job, number FROM pg_temp.gathered_group;
      ANALYZE needed_group
      """)
  }

  func neededGroups(
    on volume: UniqueIdentifier, blocks: Range<UInt32>
  ) throws(CatalogError) -> [BlockGroup] {
    var rows = try query(
      """
      SELECT l.block, l.number
      FROM volume AS v JOIN group_location AS l ON l.volume = v.id AND l.file = 0 AND l.block >= $2 AND l.block < $3
        JOIN needed_group AS n ON n.job = l.job AND n.number = l.number
      WHERE v.uuid = $1 ORDER BY l.block, l.number
      """, [volume.serverValue, .integer(Int64(blocks.lowerBound)), .integer(Int64(blocks.upperBound))])
    var groups: [BlockGroup] = []
    while rows.step() { groups.append(BlockGroup(block: try rows.smallCount(0), group: try rows.count(1))) }
    return groups
  }

  /// Notes where groups lie now; part of a transaction.
  func noteMoved(_ groups: [BlockGroup], of session: UniqueIdentifier) throws(CatalogError) {
    guard let job = try job(session: session) else {
      throw CatalogError(.notFound, "groups of session \(session) moved, which is no job's")
    }
    let spool = RowSpool()
    for group in groups {
      try spool.beginRow(fieldCount: 3)
      spool.append(try ordered(job.number))
      spool.append(try ordered(group.group))
      spool.append(Int64(group.block))
    }
    try copy(spool, to: "moved_group(job, number, block)")
  }

  /// Gives noted groups their new places and purges the old volume; part of a transaction.
  func replaceVolume(_ old: UniqueIdentifier, by new: Volume) throws(CatalogError) {
    let from: ServerValue = .integer(try volumeNumber(old))
    try recordVolume(new)
    try execute("ANALYZE moved_group")
    try run(
      """
      UPDATE group_location AS l SET volume = $2, file = 0, block = m.block FROM moved_group AS m
      WHERE l.job = m.job AND l.number = m.number AND l.volume = $1
      """, [from, .integer(volumeNumber(new.identifier))])
    let left = try number(
      """
      SELECT count(*) FROM (
        SELECT 1 FROM group_location AS l JOIN needed_group AS n ON n.job = l.job AND n.number = l.number
        WHERE l.volume = $1 LIMIT 1
      ) AS x
      """, [from])
    guard left == 0 else {
      throw CatalogError(.conflict, "not everything that is needed of the volume has moved")
    }
    try run("UPDATE volume SET status = 'Purged' WHERE id = $1", [from])
  }

  private func volumeNumber(_ volume: UniqueIdentifier) throws(CatalogError) -> Int64 {
    guard let number = try number("SELECT id FROM volume WHERE uuid = $1", [volume.serverValue]) else {
      throw CatalogError(.notFound, "there is no volume \(volume)")
    }
    return number
  }
}
