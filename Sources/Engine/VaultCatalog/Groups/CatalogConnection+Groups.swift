import VaultModel

extension CatalogConnection {
  func volumes() throws(CatalogError) -> [Volume] {
    let select = try statement("SELECT uuid, name, status, end_file, end_block, labeled, place FROM volume ORDER BY id")
    defer { select.statement.reset() }
    var volumes: [Volume] = []
    while try select.statement.step() {
      var volume = try Volume(reading: select.statement)
      volume.place = select.statement.isNull(6) ? nil : try select.statement.text(6)
      volumes.append(volume)
    }
    return volumes
  }

  /// Adds a volume or replaces the row with its UUID; part of a transaction.
  func recordVolume(_ volume: Volume) throws(CatalogError) {
    let upsert = try statement(
      """
      INSERT INTO volume(uuid, name, status, end_file, end_block, labeled, place) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
      ON CONFLICT(uuid) DO UPDATE SET name = excluded.name, status = excluded.status, labeled = excluded.labeled,
        place = coalesce(excluded.place, place),
        (end_file, end_block) = (SELECT max(excluded.end_file, end_file),
          CASE WHEN excluded.end_file = end_file THEN max(excluded.end_block, end_block)
            WHEN excluded.end_file > end_file THEN excluded.end_block ELSE end_block END)
      """
    )
    try volume.identifier.withBytes { bytes throws(CatalogError) in try upsert.statement.bind(copying: bytes, at: 1) }
    try upsert.statement.bind(volume.name, at: 2)
    try upsert.statement.bind(volume.status.rawValue, at: 3)
    try upsert.statement.bind(Int64(volume.end.file), at: 4)
    try upsert.statement.bind(Int64(volume.end.block), at: 5)
    try upsert.statement.bind(volume.labeled.nanoseconds, at: 6)
    if let place = volume.place {
      try upsert.statement.bind(place, at: 7)
    } else {
      try upsert.statement.bindNull(at: 7)
    }
    try upsert.statement.run()
  }

  /// A volume's number; part of staging a location on it.
  func volumeNumber(_ volume: UniqueIdentifier) throws(CatalogError) -> Int64 {
    let select = try statement("SELECT id FROM volume WHERE uuid = ?1")
    defer { select.statement.reset() }
    try volume.withBytes { bytes throws(CatalogError) in try select.statement.bind(copying: bytes, at: 1) }
    guard try select.statement.step() else {
      throw CatalogError(.notFound, "a group lies on volume \(volume), which neither the commit nor the catalog lists")
    }
    return select.statement.integer(0)
  }

  /// Locations on the first copy, found through the groups' primary key or an index of theirs.
  private static func select(through access: String, _ condition: String) -> String {
    """
    SELECT g.number, g.kind, g.first_entry, g.first_offset, v.uuid, l.file, l.block, l.stored_length, g.raw_length
    FROM record_group AS g \(access)
      CROSS JOIN group_location AS l ON l.job = g.job AND l.number = g.number AND l.copy = 0
      JOIN volume AS v ON v.id = l.volume
    WHERE \(condition)
    """
  }

  func locations(of content: ContentIdentifier, size: UInt64) throws(CatalogError) -> [GroupLocation] {
    guard size > 0, let index = Int64(exactly: content.index), let job = try job(session: content.session) else {
      return []
    }
    // The last group that begins at or before the content's first byte, then all that begin inside it.
    let first = try statement(
      """
      SELECT number FROM record_group INDEXED BY record_group_content
      WHERE job = ?1 AND kind = 1 AND (first_entry, first_offset) <= (?2, 0)
      ORDER BY first_entry DESC, first_offset DESC, number DESC LIMIT 1
      """)
    defer { first.statement.reset() }
    try first.statement.bind(ordered(job.number), at: 1)
    try first.statement.bind(index, at: 2)
    var locations: [GroupLocation] = []
    if try first.statement.step() {
      let group = try first.statement.count(0)
      locations = try self.locations(of: content.session, groups: group...group)
    }
    let rest = try statement(
      Self.select(
        through: "INDEXED BY record_group_content",
        """
        g.job = ?1 AND g.kind = 1 AND g.first_entry = ?2 AND g.first_offset > 0 AND g.first_offset < ?3
        ORDER BY g.first_offset, g.number
        """))
    defer { rest.statement.reset() }
    try rest.statement.bind(ordered(job.number), at: 1)
    try rest.statement.bind(index, at: 2)
    try rest.statement.bind(Int64(clamping: size), at: 3)
    try append(from: rest, to: &locations)
    return locations
  }

  func locations(
    of session: UniqueIdentifier, groups: ClosedRange<UInt64>
  ) throws(CatalogError) -> [GroupLocation] {
    guard let job = try job(session: session) else { return [] }
    let select = try statement(
      Self.select(through: "", "g.job = ?1 AND g.number BETWEEN ?2 AND ?3 ORDER BY g.number"))
    defer { select.statement.reset() }
    try select.statement.bind(ordered(job.number), at: 1)
    try select.statement.bind(Int64(clamping: groups.lowerBound), at: 2)
    try select.statement.bind(Int64(clamping: groups.upperBound), at: 3)
    var locations: [GroupLocation] = []
    try append(from: select, to: &locations)
    return locations
  }

  private func append(
    from select: CachedStatement, to locations: inout [GroupLocation]
  ) throws(CatalogError) {
    while try select.statement.step() { locations.append(try GroupLocation(reading: select.statement)) }
  }
}
