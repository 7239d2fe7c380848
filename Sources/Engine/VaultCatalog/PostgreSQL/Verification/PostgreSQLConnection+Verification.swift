import VaultModel

extension PostgreSQLConnection {
  private static let columns = """
    content_session, content_index, device, inode, attributes, extended_session, extended_index
    """
  private static let stagedColumns = """
    s.content_session, s.content_index, s.device, s.inode, s.attributes, s.extended_session, s.extended_index
    """

  /// The rows of all states, with the sequences of the jobs that show them.
  private static let allRows = """
    SELECT e.directory, e.name, e.first, j.sequence + 1 AS last, \(columns)
    FROM entry_current AS e LEFT JOIN job AS j ON j.tree = e.tree AND j.in_place = 1
    UNION ALL
    SELECT directory, name, first, last, \(columns) FROM entry_past
    UNION ALL
    SELECT s.directory, s.name, j.sequence, j.sequence + 1, \(stagedColumns)
    FROM stage AS s JOIN job AS j ON j.number = s.job WHERE s.state = \(StageState.entry)
    """

  // MARK: Every content

  /// Sorts every content that an entry of any state refers to, once, in the order of where it lies; part of a
  /// transaction.
  func sortEveryContent() throws(CatalogError) {
    try allowWholeJoins()
    try execute("TRUNCATE every_content")
    try run(
      """
      INSERT INTO every_content(id, directory, name, first, \(Self.columns))
      SELECT row_number() OVER (ORDER BY place, content_index), directory, name, first, \(Self.columns)
      FROM (
        SELECT DISTINCT ON (e.content_session, e.content_index) e.*, \(ServerSelection.place) AS place
        FROM (\(Self.allRows)) AS e LEFT JOIN job AS j ON j.session = e.content_session
        WHERE e.content_session IS NOT NULL AND e.content_index IS NOT NULL
        ORDER BY e.content_session, e.content_index
      ) AS x
      """)
  }

  func everyContentPage(after row: Int64, limit: Int) throws(CatalogError) -> SelectionPage {
    var rows = try query(
      """
      SELECT c.directory, d.key, c.name, c.first, c.content_session, c.content_index, c.device, c.inode, c.attributes,
        NULL::bytea, c.extended_session, c.extended_index, c.id
      FROM (SELECT * FROM every_content WHERE id > $1 ORDER BY id LIMIT $2) AS c
        JOIN directory AS d ON d.id = c.directory
      ORDER BY c.id
      """, [.integer(row), .integer(Int64(limit) + 1)])
    var reader = StateRowReader(self)
    var page = SelectionPage()
    var last = row
    while rows.step() {
      if page.rows.count == limit {
        page.cursor = SelectionCursor(row: last)
        break
      }
      page.rows.append(try reader.row(rows))
      last = try rows.integer(12)
    }
    return page
  }

  // MARK: What damage costs

  /// Looks for the entries of all states with damaged content; part of a transaction.
  func findAffected(_ damaged: [DamagedContents]) throws(CatalogError) {
    try allowWholeJoins()
    try execute("TRUNCATE damaged_content, affected")
    let spool = RowSpool()
    for contents in damaged {
      guard let session = try knownSessionNumber(contents.session) else { continue }
      try spool.beginRow(fieldCount: 4)
      spool.append(Int64(contents.damage))
      spool.append(session)
      spool.append(try ordered(contents.indexes.lowerBound))
      spool.append(Int64(clamping: contents.indexes.upperBound))
    }
    try copy(spool, to: "damaged_content(damage, session, low, high)")
    try run(
      """
      INSERT INTO affected(id, damage, directory, name, first, last, \(Self.columns))
      SELECT row_number() OVER (ORDER BY x.damage, e.directory, e.name, e.first), x.damage, e.directory, e.name,
        e.first, e.last, \(Self.columns)
      FROM (\(Self.allRows)) AS e JOIN damaged_content AS x
        ON x.session = e.content_session AND e.content_index BETWEEN x.low AND x.high
      """)
  }

  /// Up to `limit` affected rows after one; those without bytes cannot be lost and are left out.
  ///
  /// - Returns: the entries, and the last row looked at; nil at the end.
  func affectedPage(
    after row: Int64, limit: Int
  ) throws(CatalogError) -> (entries: [AffectedEntry], last: Int64?) {
    var rows = try query(
      """
      SELECT a.directory, d.key, a.name, a.first, a.content_session, a.content_index, a.device, a.inode, a.attributes,
        NULL::bytea, a.extended_session, a.extended_index, a.id, a.damage, a.last, t.host, t.name
      FROM (SELECT * FROM affected WHERE id > $1 ORDER BY id LIMIT $2) AS a
        JOIN directory AS d ON d.id = a.directory JOIN tree AS t ON t.id = d.tree
      ORDER BY a.id
      """, [.integer(row), .integer(Int64(max(limit, 0)) + 1)])
    var reader = StateRowReader(self)
    var entries: [AffectedEntry] = []
    var last = row
    var count = 0
    while rows.step() {
      if count == limit { return (entries, last) }
      let found = try reader.row(rows)
      last = try rows.integer(12)
      count += 1
      guard case .stored(_, let sealed) = found.entry.content, sealed.size > 0 else { continue }
      entries.append(
        AffectedEntry(
          damage: Int(try rows.integer(13)), tree: Tree(host: try rows.text(15), name: ByteString(try rows.bytes(16))),
          path: found.directory.appending(found.entry.name).path, size: sealed.size, first: found.first,
          last: rows.isNull(14) ? nil : try rows.count(14)))
    }
    return (entries, nil)
  }
}

extension PostgreSQLCatalog {
  func everyContentPage(after cursor: SelectionCursor?, limit: Int) throws(CatalogError) -> SelectionPage {
    if cursor == nil {
      try write("sorting contents") { connection throws(CatalogError) in try connection.sortEveryContent() }
    }
    return try read("reading contents") { connection throws(CatalogError) in
      try connection.everyContentPage(after: cursor?.row ?? 0, limit: limit)
    }
  }

  package func findAffected(_ damaged: [DamagedContents]) throws(CatalogError) {
    try write("looking for what damage costs") { connection throws(CatalogError) in
      try connection.findAffected(damaged)
    }
  }

  package func readAffected(
    after row: Int64, limit: Int, _ visit: (AffectedEntry) throws -> Void
  ) throws(CatalogError) -> Int64? {
    let page = try read("reading what damage costs") { connection throws(CatalogError) in
      try connection.affectedPage(after: row, limit: limit)
    }
    try give(page.entries, visit)
    return page.last
  }
}
