import VaultModel

extension CatalogConnection {
  func readVersions(
    of tree: Tree, at position: CanonicalPosition, before sequence: UInt64?, limit: Int,
    _ visit: (EntryVersion) throws -> Void
  ) throws(CatalogError) -> Bool {
    guard limit > 0, let number = try treeNumber(tree),
      let directory = try directoryNumber(position.directory, tree: number)
    else { return false }
    let select = try statement(
      """
      \(Self.versions(of: "entry_current", last: "NULL")) WHERE e.directory = ?1 AND e.name = ?2 AND e.first < ?3
      UNION ALL
      \(Self.versions(of: "entry_past", last: "e.last")) WHERE e.directory = ?1 AND e.name = ?2 AND e.first < ?3
      ORDER BY 4 DESC LIMIT ?4
      """)
    defer { select.statement.reset() }
    try select.statement.bind(directory, at: 1)
    try select.statement.bind(position.name, at: 2)
    try select.statement.bind(sequence.map { Int64(clamping: $0) } ?? .max, at: 3)
    try select.statement.bind(Int64(limit), at: 4)
    var reader = StateRowReader(self)
    var count = 0
    while try select.statement.step() {
      count += 1
      try give(select, tree: number, &reader, visit)
    }
    return count == limit
  }

  func readHistory(
    of tree: Tree, after cursor: HistoryCursor?, limit: Int,
    accept: (_ directory: UnsafeRawBufferPointer, _ name: UnsafeRawBufferPointer) -> Bool,
    _ visit: (EntryVersion) throws -> Void
  ) throws(CatalogError) -> HistoryCursor? {
    guard limit > 0, let number = try treeNumber(tree) else { return nil }
    var last = cursor
    var count = 0
    if let cursor {
      let rest = try statement(Self.history(where: "d.key = ?2 AND (e.name, e.first) > (?3, ?4)"))
      defer { rest.statement.reset() }
      try rest.statement.bind(number, at: 1)
      try rest.statement.bind(cursor.position.directory.bytes, at: 2)
      try rest.statement.bind(cursor.position.name, at: 3)
      try rest.statement.bind(cursor.first, at: 4)
      try walk(rest, tree: number, limit: limit, &count, &last, accept, visit)
      if count == limit { return last }
    }
    let following = try statement(Self.history(where: "d.key >= ?2"))
    defer { following.statement.reset() }
    try following.statement.bind(number, at: 1)
    try following.statement.bind(cursor?.position.directory.successor ?? [], at: 2)
    try walk(following, tree: number, limit: limit, &count, &last, accept, visit)
    return count == limit ? last : nil
  }

  // MARK: Rows

  /// Both halves come in order out of their primary keys, so that SQLite merges them.
  private static func history(where range: String) -> String {
    """
    \(versions(of: "entry_current", last: "NULL")) WHERE d.tree = ?1 AND \(range)
    UNION ALL
    \(versions(of: "entry_past", last: "e.last")) WHERE d.tree = ?1 AND \(range)
    ORDER BY 2, 3, 4
    """
  }

  private static func versions(of table: String, last: String) -> String {
    """
    SELECT d.id, d.key, e.name, e.first, e.content_session, e.content_index, e.device, e.inode, e.attributes, e.extents,
      e.extended_session, e.extended_index, \(last)
    FROM directory AS d CROSS JOIN \(table) AS e ON e.directory = d.id
    """
  }

  /// Looks at rows until `limit` were looked at.
  private func walk(
    _ select: CachedStatement, tree: Int64, limit: Int, _ count: inout Int, _ last: inout HistoryCursor?,
    _ accept: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) -> Bool, _ visit: (EntryVersion) throws -> Void
  ) throws(CatalogError) {
    var reader = StateRowReader(self)
    while count < limit, try select.statement.step() {
      count += 1
      if accept(select.statement.bytes(1), select.statement.bytes(2)) {
        try give(select, tree: tree, &reader, visit)
      }
      if count == limit {
        last = HistoryCursor(
          position: CanonicalPosition(
            directory: DirectoryKey(keyBytes: Array(select.statement.bytes(1))),
            name: ByteString(select.statement.bytes(2))), first: select.statement.integer(3))
      }
    }
  }

  /// Hands on the row that a statement stands on, unless no kept job has it.
  private func give(
    _ select: CachedStatement, tree: Int64, _ reader: inout StateRowReader, _ visit: (EntryVersion) throws -> Void
  ) throws(CatalogError) {
    let first = select.statement.integer(3)
    let last = select.statement.isNull(12) ? nil : select.statement.integer(12)
    let kept = " AND status IN ('T', 'W') AND dropped IS NULL"
    guard let firstKept = try moment(kept + " ORDER BY sequence LIMIT 1", tree, first, last ?? .max),
      let lastKept = try moment(kept + " ORDER BY sequence DESC LIMIT 1", tree, first, last ?? .max),
      let saved = try moment("", tree, first, first + 1)
    else { return }
    var ended: JobMoment?
    if let last { ended = try moment("", tree, last, last + 1) }
    let version = EntryVersion(
      row: try reader.row(select.statement), saved: saved, firstKept: firstKept, lastKept: lastKept, ended: ended)
    do { try visit(version) } catch { throw CatalogError.fromCaller(error) }
  }

  /// The first job with a sequence in a range, under further conditions.
  private func moment(
    _ condition: String, _ tree: Int64, _ low: Int64, _ high: Int64
  ) throws(CatalogError) -> JobMoment? {
    let select = try statement(
      "SELECT number, ended FROM job WHERE tree = ?1 AND sequence >= ?2 AND sequence < ?3" + condition)
    defer { select.statement.reset() }
    try select.statement.bind(tree, at: 1)
    try select.statement.bind(low, at: 2)
    try select.statement.bind(high, at: 3)
    guard try select.statement.step() else { return nil }
    return JobMoment(
      number: try select.statement.count(0),
      ended: select.statement.isNull(1) ? nil : Timestamp(nanoseconds: select.statement.integer(1)))
  }
}
