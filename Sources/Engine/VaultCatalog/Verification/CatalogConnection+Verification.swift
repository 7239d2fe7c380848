import VaultModel

extension CatalogConnection {
  // MARK: Groups

  func locations(
    on volume: UniqueIdentifier, blocks: Range<UInt32>
  ) throws(CatalogError) -> [PlacedGroup] {
    let select = try statement(
      """
      SELECT g.number, g.kind, g.first_entry, g.first_offset, v.uuid, l.file, l.block, l.stored_length, g.raw_length,
        j.session
      FROM volume AS v CROSS JOIN group_location AS l INDEXED BY group_location_place
        ON l.volume = v.id AND l.file = 0 AND l.block >= ?2 AND l.block < ?3
      CROSS JOIN record_group AS g ON g.job = l.job AND g.number = l.number
      CROSS JOIN job AS j ON j.number = l.job
      WHERE v.uuid = ?1 ORDER BY l.block, l.job, l.number
      """)
    defer { select.statement.reset() }
    try volume.withBytes { bytes throws(CatalogError) in try select.statement.bind(copying: bytes, at: 1) }
    try select.statement.bind(Int64(blocks.lowerBound), at: 2)
    try select.statement.bind(Int64(blocks.upperBound), at: 3)
    var groups: [PlacedGroup] = []
    while try select.statement.step() {
      groups.append(
        PlacedGroup(
          session: try session(select.statement.integer(9)), location: try GroupLocation(reading: select.statement)))
    }
    return groups
  }

  func contents(
    ofGroup number: UInt64, of session: UniqueIdentifier
  ) throws(CatalogError) -> ClosedRange<UInt64>? {
    guard let job = try job(session: session) else { return nil }
    let select = try statement(
      """
      SELECT first_entry, first_offset FROM record_group WHERE job = ?1 AND number >= ?2 AND kind = 1
      ORDER BY number LIMIT 2
      """)
    defer { select.statement.reset() }
    try select.statement.bind(ordered(job.number), at: 1)
    try select.statement.bind(ordered(number), at: 2)
    guard try select.statement.step() else { return nil }
    let first = try select.statement.count(0)
    guard try select.statement.step() else { return first...UInt64(Int64.max) }
    // What the next group begins with began in this one, unless it begins with its first byte.
    let next = try select.statement.count(0)
    let last = try select.statement.count(1) > 0 ? next : max(next, 1) - 1
    return first...max(first, last)
  }

  // MARK: Every content

  /// Every content that an entry of any state refers to, once, in the order of where it lies.
  static let everyContent = """
    SELECT directory, name, first, content_session, content_index, device, inode, attributes,
        extended_session, extended_index FROM (
      SELECT directory, name, first, content_session, content_index, device, inode, attributes,
        extended_session, extended_index FROM entry_current
      UNION ALL
      SELECT directory, name, first, content_session, content_index, device, inode, attributes,
        extended_session, extended_index FROM entry_past
      UNION ALL
      SELECT s.directory, s.name, j.sequence, s.content_session, s.content_index, s.device, s.inode, s.attributes,
        s.extended_session, s.extended_index
      FROM stage AS s JOIN job AS j ON j.number = s.job WHERE s.state = \(StageState.entry)
    ) AS e
    WHERE content_session IS NOT NULL AND content_index IS NOT NULL
    GROUP BY content_session, content_index
    ORDER BY coalesce(
      (SELECT j.number FROM job AS j WHERE j.session = e.content_session), \(SelectionCollector.firstPlaceWithoutJob) + content_session),
      content_index
    """

  func readEveryContent(
    after cursor: SelectionCursor?, limit: Int, _ visit: (StateRow) throws -> Void
  ) throws(CatalogError) -> SelectionCursor? {
    if cursor == nil {
      forget("temp.every_content")
      try execute(
        """
        DROP TABLE IF EXISTS temp.every_content;
        CREATE TEMP TABLE every_content(
          id INTEGER PRIMARY KEY, directory, name, first, content_session, content_index, device, inode, attributes,
          extended_session, extended_index);
        INSERT INTO temp.every_content(
          directory, name, first, content_session, content_index, device, inode, attributes, extended_session,
          extended_index) \(Self.everyContent)
        """)
    }
    let select = try statement(
      """
      SELECT d.id, d.key, c.name, c.first, c.content_session, c.content_index, c.device, c.inode, c.attributes, NULL,
        c.extended_session, c.extended_index, c.id
      FROM temp.every_content AS c CROSS JOIN directory AS d ON d.id = c.directory
      WHERE c.id > ?1 ORDER BY c.id
      """)
    defer { select.statement.reset() }
    try select.statement.bind(cursor?.row ?? 0, at: 1)
    var reader = StateRowReader(self)
    var last: Int64 = 0
    var count = 0
    while try select.statement.step() {
      if count == limit { return SelectionCursor(row: last) }
      let row = try reader.row(select.statement)
      do { try visit(row) } catch { throw CatalogError.fromCaller(error) }
      last = select.statement.integer(12)
      count += 1
    }
    select.statement.reset()
    forget("temp.every_content")
    try execute("DROP TABLE IF EXISTS temp.every_content")
    return nil
  }

  // MARK: What damage costs

  private static let affectedTables = """
    DROP TABLE IF EXISTS temp.damaged_content;
    CREATE TEMP TABLE damaged_content(damage INTEGER, session INTEGER, low INTEGER, high INTEGER);
    CREATE INDEX temp.damaged_content_session ON damaged_content(session, low);
    DROP TABLE IF EXISTS temp.affected;
    CREATE TEMP TABLE affected(
      id INTEGER PRIMARY KEY, damage INTEGER, directory INTEGER, name, first, last, content_session, content_index,
      device, inode, attributes, extended_session, extended_index)
    """

  private static let fillAffected = """
    INSERT INTO temp.affected(
      damage, directory, name, first, last, content_session, content_index, device, inode, attributes, extended_session,
      extended_index)
    SELECT x.damage, e.directory, e.name, e.first, e.last, e.content_session, e.content_index, e.device, e.inode,
      e.attributes, e.extended_session, e.extended_index
    FROM (
      SELECT directory, name, first,
        (SELECT j.sequence + 1 FROM directory AS d JOIN job AS j ON j.tree = d.tree AND j.in_place = 1
          WHERE d.id = directory) AS last,
        content_session, content_index, device, inode, attributes, extended_session, extended_index
      FROM entry_current
      UNION ALL
      SELECT directory, name, first, last, content_session, content_index, device, inode, attributes,
        extended_session, extended_index FROM entry_past
      UNION ALL
      SELECT s.directory, s.name, j.sequence, j.sequence + 1, s.content_session, s.content_index, s.device, s.inode,
        s.attributes, s.extended_session, s.extended_index
      FROM stage AS s JOIN job AS j ON j.number = s.job WHERE s.state = \(StageState.entry)
    ) AS e CROSS JOIN temp.damaged_content AS x
      ON x.session = e.content_session AND e.content_index BETWEEN x.low AND x.high
    ORDER BY x.damage, e.directory, e.name, e.first
    """

  func findAffected(_ damaged: [DamagedContents]) throws(CatalogError) {
    forget("temp.damaged_content")
    forget("temp.affected")
    try execute(Self.affectedTables)
    let insert = try statement(
      "INSERT INTO temp.damaged_content(damage, session, low, high) VALUES (?1, ?2, ?3, ?4)")
    for contents in damaged {
      guard let session = try knownSessionNumber(contents.session) else { continue }
      try insert.statement.bind(Int64(contents.damage), at: 1)
      try insert.statement.bind(session, at: 2)
      try insert.statement.bind(ordered(contents.indexes.lowerBound), at: 3)
      try insert.statement.bind(Int64(clamping: contents.indexes.upperBound), at: 4)
      try insert.statement.run()
    }
    try execute(Self.fillAffected)
  }

  func readAffected(
    after row: Int64, limit: Int, _ visit: (AffectedEntry) throws -> Void
  ) throws(CatalogError) -> Int64? {
    let select = try statement(
      """
      SELECT d.id, d.key, a.name, a.first, a.content_session, a.content_index, a.device, a.inode, a.attributes, NULL,
        a.extended_session, a.extended_index, a.id, a.damage, a.last, t.host, t.name
      FROM temp.affected AS a CROSS JOIN directory AS d ON d.id = a.directory CROSS JOIN tree AS t ON t.id = d.tree
      WHERE a.id > ?1 ORDER BY a.id
      """)
    defer { select.statement.reset() }
    try select.statement.bind(row, at: 1)
    var reader = StateRowReader(self)
    var last = row
    var count = 0
    while try select.statement.step() {
      if count == limit { return last }
      let found = try reader.row(select.statement)
      last = select.statement.integer(12)
      count += 1
      // A content of no bytes lies nowhere, and cannot be lost.
      guard case .stored(_, let sealed) = found.entry.content, sealed.size > 0 else { continue }
      let entry = AffectedEntry(
        damage: Int(select.statement.integer(13)),
        tree: Tree(host: try select.statement.text(15), name: ByteString(select.statement.bytes(16))),
        path: found.directory.appending(found.entry.name).path, size: sealed.size, first: found.first,
        last: select.statement.isNull(14) ? nil : try select.statement.count(14))
      do { try visit(entry) } catch { throw CatalogError.fromCaller(error) }
    }
    select.statement.reset()
    forget("temp.damaged_content")
    forget("temp.affected")
    try execute("DROP TABLE IF EXISTS temp.affected; DROP TABLE IF EXISTS temp.damaged_content")
    return nil
  }
}
