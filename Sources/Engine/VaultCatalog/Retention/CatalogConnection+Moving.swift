import VaultModel

/// How much of each volume is needed, and groups that move to the volume which takes another's place.
extension CatalogConnection {
  func volumeNeeds(ifDropping numbers: [JobNumber], at now: Timestamp) throws(CatalogError) -> [VolumeNeed] {
    guard !numbers.isEmpty else {
      try gatherNeeds()
      return try volumeNeeds()
    }
    try execute("BEGIN IMMEDIATE")
    // Nothing of it is to happen.
    defer { rollBack() }
    _ = try drop(numbers, at: now)
    try gatherNeeds()
    return try volumeNeeds()
  }

  private func volumeNeeds() throws(CatalogError) -> [VolumeNeed] {
    let select = try statement(
      """
      SELECT v.uuid,
        (SELECT coalesce(sum((bytes + 4223) / 4096 * 4096), 0) FROM (
          SELECT sum(l.stored_length) AS bytes FROM group_location AS l INDEXED BY group_location_place
            CROSS JOIN temp.needed_group AS n ON n.job = l.job AND n.number = l.number
          WHERE l.volume = v.id GROUP BY l.file, l.block)),
        (SELECT count(DISTINCT l.job) FROM group_location AS l INDEXED BY group_location_place
          WHERE l.volume = v.id AND l.job IN (SELECT job FROM temp.needed_job)),
        EXISTS (
          SELECT 1 FROM job AS j CROSS JOIN group_location AS l ON l.job = j.number AND l.volume = v.id
          WHERE j.status IN ('C', 'R', 'I') AND j.dropped IS NULL AND NOT EXISTS (
            SELECT 1 FROM job AS k WHERE k.tree = j.tree AND k.sequence > j.sequence AND k.status IN ('T', 'W')
              AND k.dropped IS NULL)),
        v.id IN (SELECT id FROM temp.needed_volume)
      FROM volume AS v WHERE v.status <> 'Purged' ORDER BY v.id
      """)
    defer { select.statement.reset() }
    let volumes = try self.volumes()
    var needs: [VolumeNeed] = []
    while try select.statement.step() {
      let identifier = try select.statement.identifier(0)
      guard let volume = volumes.first(where: { $0.identifier == identifier }) else { continue }
      needs.append(
        VolumeNeed(
          volume: volume, groupByteCount: try select.statement.count(1), jobCount: try select.statement.count(2),
          isGoingOn: select.statement.integer(3) != 0, isNeeded: select.statement.integer(4) != 0))
    }
    return needs
  }

  func neededGroups(
    on volume: UniqueIdentifier, blocks: Range<UInt32>
  ) throws(CatalogError) -> [BlockGroup] {
    let select = try statement(
      """
      SELECT l.block, l.number
      FROM volume AS v CROSS JOIN group_location AS l INDEXED BY group_location_place
        ON l.volume = v.id AND l.file = 0 AND l.block >= ?2 AND l.block < ?3
      CROSS JOIN temp.needed_group AS n ON n.job = l.job AND n.number = l.number
      WHERE v.uuid = ?1 ORDER BY l.block, l.number
      """)
    defer { select.statement.reset() }
    try volume.withBytes { bytes throws(CatalogError) in try select.statement.bind(copying: bytes, at: 1) }
    try select.statement.bind(Int64(blocks.lowerBound), at: 2)
    try select.statement.bind(Int64(blocks.upperBound), at: 3)
    var groups: [BlockGroup] = []
    while try select.statement.step() {
      groups.append(BlockGroup(block: try select.statement.smallCount(0), group: try select.statement.count(1)))
    }
    return groups
  }

  func beginMoving() throws(CatalogError) {
    try execute(
      """
      CREATE TEMP TABLE IF NOT EXISTS moved_group(job INTEGER, number INTEGER, block INTEGER, PRIMARY KEY (job, number))
        WITHOUT ROWID;
      DELETE FROM temp.moved_group;
      """)
  }

  func noteMoved(_ groups: [BlockGroup], of session: UniqueIdentifier) throws(CatalogError) {
    guard let job = try job(session: session) else {
      throw CatalogError(.notFound, "groups of session \(session) moved, which is no job's")
    }
    let insert = try statement("INSERT INTO temp.moved_group(job, number, block) VALUES (?1, ?2, ?3)")
    for group in groups {
      try insert.statement.bind(ordered(job.number), at: 1)
      try insert.statement.bind(ordered(group.group), at: 2)
      try insert.statement.bind(Int64(group.block), at: 3)
      try insert.statement.run()
    }
  }

  func replaceVolume(_ old: UniqueIdentifier, by new: Volume) throws(CatalogError) {
    try transaction { () throws(CatalogError) in
      let from = try volumeNumber(old)
      try recordVolume(new)
      let update = try statement(
        """
        UPDATE group_location SET volume = ?2, file = 0, block = m.block FROM temp.moved_group AS m
        WHERE group_location.job = m.job AND group_location.number = m.number AND group_location.volume = ?1
        """)
      try update.statement.bind(from, at: 1)
      try update.statement.bind(try volumeNumber(new.identifier), at: 2)
      try update.statement.run()
      let left = try statement(
        """
        SELECT EXISTS (
          SELECT 1 FROM group_location AS l INDEXED BY group_location_place
            CROSS JOIN temp.needed_group AS n ON n.job = l.job AND n.number = l.number
          WHERE l.volume = ?1)
        """)
      defer { left.statement.reset() }
      try left.statement.bind(from, at: 1)
      guard try left.statement.step(), left.statement.integer(0) == 0 else {
        throw CatalogError(.conflict, "not everything that is needed of the volume has moved")
      }
      let purge = try statement("UPDATE volume SET status = 'Purged' WHERE id = ?1")
      try purge.statement.bind(from, at: 1)
      try purge.statement.run()
    }
  }
}
