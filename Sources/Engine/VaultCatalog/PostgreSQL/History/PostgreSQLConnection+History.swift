import VaultModel

/// A page of a tree's history.
struct HistoryPage {
  var versions: [EntryVersion] = []
  /// How many rows were looked at.
  var rowCount = 0
  var last: HistoryCursor?
}

extension PostgreSQLConnection {
  /// The versions of one entry that began before a sequence, newest first.
  func versions(
    of tree: Tree, at position: CanonicalPosition, before sequence: UInt64?, limit: Int
  ) throws(CatalogError) -> HistoryPage {
    guard limit > 0, let number = try treeNumber(tree) else { return HistoryPage() }
    let rows = """
      SELECT d.id, d.key, d.head, e.* FROM (\(StateSource.oneDirectory)) AS d
        CROSS JOIN LATERAL (SELECT * FROM (\(Self.arms("e.name = $3 AND e.first < $5"))) AS u
          ORDER BY first DESC LIMIT $4) AS e
      """
    return try page(
      Self.withMoments(rows, order: "x.first DESC"),
      [
        .integer(number), .bytes(position.directory.bytes.bytes), .bytes(position.name.bytes), .integer(Int64(limit)),
        .integer(sequence.map { Int64(clamping: $0) } ?? .max),
      ], inOrder: false
    ) { _, _ in true }
  }

  /// Up to `limit` rows of all entries in canonical order after a place, each entry's oldest first.
  func history(
    of tree: Tree, after cursor: HistoryCursor?, limit: Int,
    accept: (_ directory: UnsafeRawBufferPointer, _ name: UnsafeRawBufferPointer) -> Bool
  ) throws(CatalogError) -> HistoryPage {
    guard limit > 0, let number = try treeNumber(tree) else { return HistoryPage() }
    var page = HistoryPage()
    if let cursor {
      page = try self.page(
        Self.history(StateSource.oneDirectory, "(e.name, e.first) > ($3, $5)"),
        [
          .integer(number), .bytes(cursor.position.directory.bytes.bytes), .bytes(cursor.position.name.bytes),
          .integer(Int64(limit)), .integer(cursor.first),
        ], inOrder: false, accept)
      guard page.rowCount < limit else { return page }
    }
    let following = try self.page(
      Self.history(StateSource.directoryRange, "true"),
      [
        .integer(number), .bytes(cursor?.position.directory.successor ?? []), .bytes(DirectoryRange.end),
        .integer(Int64(limit - page.rowCount)),
      ], inOrder: true, accept)
    page.versions += following.versions
    page.rowCount += following.rowCount
    page.last = following.last ?? page.last
    return page
  }

  // MARK: Rows

  private static let columnNames = [
    "content_session", "content_index", "device", "inode", "attributes", "extents", "extended_session",
    "extended_index",
  ]

  private static func columns(of alias: String) -> String {
    columnNames.map { "\(alias).\($0)" }.joined(separator: ", ")
  }

  /// The rows of directory `d`, current and past.
  private static func arms(_ condition: String) -> String {
    """
    SELECT e.name, e.first, NULL::int8 AS last, \(columns(of: "e")) FROM entry_current AS e
    WHERE e.tree = $1 AND e.directory = d.id AND \(condition)
    UNION ALL
    SELECT e.name, e.first, e.last, \(columns(of: "e")) FROM entry_past AS e
    WHERE e.tree = $1 AND e.directory = d.id AND \(condition)
    """
  }

  private static func history(_ directories: String, _ condition: String) -> String {
    let rows = """
      SELECT d.id, d.key, d.head, e.* FROM (\(directories)) AS d
        CROSS JOIN LATERAL (SELECT * FROM (\(arms(condition))) AS u ORDER BY name, first LIMIT $4) AS e
      ORDER BY d.head, d.key, e.name, e.first LIMIT $4
      """
    return withMoments(rows, order: "x.head, x.key, x.name, x.first")
  }

  /// Adds to rows which jobs have them: first and last kept, the one that saved it and the one that ended it.
  private static func withMoments(_ rows: String, order: String) -> String {
    let interval = "j.sequence >= x.first AND (x.last IS NULL OR j.sequence < x.last)"
    let kept = "\(interval) AND j.status IN ('T', 'W') AND j.dropped IS NULL ORDER BY j.sequence"
    let jobs = [
      "a": "\(kept) LIMIT 1", "b": "\(kept) DESC LIMIT 1", "s": "j.sequence = x.first LIMIT 1",
      "n": "j.sequence = x.last LIMIT 1",
    ]
    let joins = jobs.sorted { $0.key < $1.key }.map {
      """
      LEFT JOIN LATERAL (SELECT j.number, j.ended FROM job AS j WHERE j.tree = $1 AND \($0.value)) AS \($0.key) ON true
      """
    }
    return """
      SELECT x.id, x.key, x.name, x.first, \(columns(of: "x")), x.last,
        a.number, a.ended, b.number, b.ended, s.number, s.ended, n.number, n.ended
      FROM (\(rows)) AS x
        \(joins.joined(separator: "\n  "))
      ORDER BY \(order)
      """
  }

  /// Reads the rows that `accept` takes, without those that no kept job has.
  private func page(
    _ sql: String, _ values: [ServerValue], inOrder: Bool,
    _ accept: (_ directory: UnsafeRawBufferPointer, _ name: UnsafeRawBufferPointer) -> Bool
  ) throws(CatalogError) -> HistoryPage {
    var rows = inOrder ? try queryInOrder(sql, values) : try query(sql, values)
    var reader = StateRowReader(self)
    var page = HistoryPage(rowCount: Int(rows.rowCount))
    while rows.step() {
      page.last = HistoryCursor(
        position: CanonicalPosition(
          directory: DirectoryKey(keyBytes: Array(try rows.bytes(1))), name: ByteString(try rows.bytes(2))),
        first: try rows.integer(3))
      guard accept(try rows.bytes(1), try rows.bytes(2)) else { continue }
      guard let firstKept = try Self.moment(rows, 13), let lastKept = try Self.moment(rows, 15),
        let saved = try Self.moment(rows, 17)
      else { continue }
      page.versions.append(
        EntryVersion(
          row: try reader.row(rows), saved: saved, firstKept: firstKept, lastKept: lastKept,
          ended: try Self.moment(rows, 19)))
    }
    return page
  }

  private static func moment(_ rows: borrowing ServerResult, _ column: Int32) throws(CatalogError) -> JobMoment? {
    guard !rows.isNull(column) else { return nil }
    return JobMoment(
      number: try rows.count(column),
      ended: rows.isNull(column + 1) ? nil : Timestamp(nanoseconds: try rows.integer(column + 1)))
  }
}

extension PostgreSQLCatalog {
  package func readVersions(
    of tree: Tree, at position: CanonicalPosition, before sequence: UInt64?, limit: Int,
    _ visit: (EntryVersion) throws -> Void
  ) throws(CatalogError) -> Bool {
    let page = try read("looking for versions") { connection throws(CatalogError) in
      try connection.versions(of: tree, at: position, before: sequence, limit: limit)
    }
    try give(page.versions, visit)
    return limit > 0 && page.rowCount == limit
  }

  package func readHistory(
    of tree: Tree, after cursor: HistoryCursor?, limit: Int,
    accept: (_ directory: UnsafeRawBufferPointer, _ name: UnsafeRawBufferPointer) -> Bool,
    _ visit: (EntryVersion) throws -> Void
  ) throws(CatalogError) -> HistoryCursor? {
    let page = try read("reading a tree's history") { connection throws(CatalogError) in
      try connection.history(of: tree, after: cursor, limit: limit, accept: accept)
    }
    try give(page.versions, visit)
    return limit > 0 && page.rowCount == limit ? page.last : nil
  }
}
