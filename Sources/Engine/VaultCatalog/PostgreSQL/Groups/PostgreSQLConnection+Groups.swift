import VaultModel

extension PostgreSQLConnection {
  func volumes() throws(CatalogError) -> [Volume] {
    var rows = try query("SELECT uuid, name, status, end_file, end_block, labeled, place FROM volume ORDER BY id")
    var volumes: [Volume] = []
    while rows.step() {
      var volume = try Volume(reading: rows)
      volume.place = rows.isNull(6) ? nil : try rows.text(6)
      volumes.append(volume)
    }
    return volumes
  }

  /// Adds a volume or replaces the row with its UUID; of two ends the greater counts. Part of a transaction.
  func recordVolume(_ volume: Volume) throws(CatalogError) {
    let values: [ServerValue] = [
      volume.identifier.serverValue, .text(volume.name), .text(volume.status.rawValue),
      .integer(Int64(volume.end.file)), .integer(Int64(volume.end.block)), .integer(volume.labeled.nanoseconds),
      .text(volume.place),
    ]
    try run(
      """
      INSERT INTO volume AS v (uuid, name, status, end_file, end_block, labeled, place)
      VALUES ($1, $2, $3, $4, $5, $6, $7)
      ON CONFLICT (uuid) DO UPDATE SET name = excluded.name, status = excluded.status, labeled = excluded.labeled,
        place = coalesce(excluded.place, v.place),
        end_file = greatest(v.end_file, excluded.end_file),
        end_block = CASE WHEN (excluded.end_file, excluded.end_block) > (v.end_file, v.end_block)
          THEN excluded.end_block ELSE v.end_block END
      """, values)
  }

  /// Locations of groups on their first copy, each found by its whole key: a planner without statistics takes part of it.
  private static func select(_ condition: String) -> String {
    """
    SELECT g.number, g.kind, g.first_entry, g.first_offset, v.uuid, l.file, l.block, l.stored_length, g.raw_length
    FROM record_group AS g CROSS JOIN LATERAL (
        SELECT * FROM group_location WHERE job = g.job AND number = g.number AND copy = 0 LIMIT 1) AS l
      JOIN volume AS v ON v.id = l.volume
    WHERE \(condition)
    """
  }

  func locations(of content: ContentIdentifier, size: UInt64) throws(CatalogError) -> [GroupLocation] {
    guard size > 0, let index = Int64(exactly: content.index), let job = try job(session: content.session) else {
      return []
    }
    // The last group that begins at or before the content's first byte, then all that begin inside it.
    let first = try number(
      """
      SELECT number FROM record_group WHERE job = $1 AND kind = 1 AND (first_entry, first_offset) <= ($2, 0)
      ORDER BY first_entry DESC, first_offset DESC, number DESC LIMIT 1
      """, [.integer(ordered(job.number)), .integer(index)])
    return try locations(
      Self.select(
        """
        g.job = $1 AND (g.number = $4
          OR (g.kind = 1 AND g.first_entry = $2 AND g.first_offset > 0 AND g.first_offset < $3))
        ORDER BY g.number <> $4, g.first_offset, g.number
        """),
      [
        .integer(ordered(job.number)), .integer(index), .integer(Int64(clamping: size)), .integer(first ?? -1),
      ])
  }

  func locations(
    of session: UniqueIdentifier, groups: ClosedRange<UInt64>
  ) throws(CatalogError) -> [GroupLocation] {
    guard let job = try job(session: session) else { return [] }
    return try locations(
      Self.select("g.job = $1 AND g.number BETWEEN $2 AND $3 ORDER BY g.number"),
      [
        .integer(ordered(job.number)), .integer(Int64(clamping: groups.lowerBound)),
        .integer(Int64(clamping: groups.upperBound)),
      ])
  }

  private func locations(_ sql: String, _ values: [ServerValue]) throws(CatalogError) -> [GroupLocation] {
    var rows = try query(sql, values)
    var locations: [GroupLocation] = []
    while rows.step() { locations.append(try GroupLocation(reading: rows)) }
    return locations
  }

  /// All groups that should lie in blocks of a volume, by address.
  func locations(on volume: UniqueIdentifier, blocks: Range<UInt32>) throws(CatalogError) -> [PlacedGroup] {
    var rows = try query(
      """
      SELECT g.number, g.kind, g.first_entry, g.first_offset, v.uuid, l.file, l.block, l.stored_length, g.raw_length,
        j.session
      FROM volume AS v JOIN group_location AS l ON l.volume = v.id AND l.file = 0 AND l.block >= $2 AND l.block < $3
        JOIN record_group AS g ON g.job = l.job AND g.number = l.number JOIN job AS j ON j.number = l.job
      WHERE v.uuid = $1 ORDER BY l.block, l.job, l.number
      """, [volume.serverValue, .integer(Int64(blocks.lowerBound)), .integer(Int64(blocks.upperBound))])
    var groups: [PlacedGroup] = []
    while rows.step() {
      groups.append(
        PlacedGroup(session: try session(try rows.integer(9)), location: try GroupLocation(reading: rows)))
    }
    return groups
  }

  func contents(
    ofGroup number: UInt64, of session: UniqueIdentifier
  ) throws(CatalogError) -> ClosedRange<UInt64>? {
    guard let job = try job(session: session) else { return nil }
    var rows = try query(
      """
      SELECT first_entry, first_offset FROM record_group WHERE job = $1 AND number >= $2 AND kind = 1
      ORDER BY number LIMIT 2
      """, [.integer(ordered(job.number)), .integer(ordered(number))])
    guard rows.step() else { return nil }
    let first = try rows.count(0)
    guard rows.step() else { return first...UInt64(Int64.max) }
    // What the next group begins with began in this one, unless it begins with its first byte.
    let next = try rows.count(0)
    let last = try rows.count(1) > 0 ? next : max(next, 1) - 1
    return first...max(first, last)
  }

  /// The attribute groups that hold the list of extended attributes which an entry of a session carried.
  func extendedLocations(of carrier: ContentIdentifier) throws(CatalogError) -> [GroupLocation] {
    guard let index = Int64(exactly: carrier.index), let job = try job(session: carrier.session) else { return [] }
    var rows = try query(
      "SELECT first_group, last_group FROM extended_list WHERE job = $1 AND entry = $2",
      [.integer(ordered(job.number)), .integer(index)])
    guard rows.step() else { return [] }
    let (first, last) = (try rows.count(0), try rows.count(1))
    guard first <= last else { throw .corrupt("a list of extended attributes ends before it begins") }
    return try locations(of: carrier.session, groups: first...last).filter { $0.kind == .attributes }
  }

  /// What a number meant to the job with a sequence, or to the last one before it that said so; nil when it had no name.
  func ownerName(
    of tree: Tree, sequence: UInt64, kind: OwnerKind, number: UInt32
  ) throws(CatalogError) -> ByteString? {
    guard let tree = try treeNumber(tree) else { return nil }
    var rows = try query(
      """
      SELECT name FROM owner_name WHERE tree = $1 AND kind = $2 AND number = $3 AND sequence <= $4
      ORDER BY sequence DESC LIMIT 1
      """,
      [
        .integer(tree), .integer(Int64(kind.rawValue)), .integer(Int64(number)), .integer(Int64(clamping: sequence)),
      ])
    guard rows.step() else { return nil }
    let name = ByteString(try rows.bytes(0))
    return name.isEmpty ? nil : name
  }
}
