import VaultModel

extension PostgreSQLConnection {
  // MARK: Sources

  /// Where the rows of a source are; nil when the catalog does not know its tree, or no state of it.
  func stateSource(of selection: SelectionSource) throws(CatalogError) -> StateSource? {
    switch selection {
    case .state(let tree, let sequence):
      guard let number = try treeNumber(tree) else { return nil }
      let (wanted, latest) = (Int64(clamping: sequence), try latestSequence(ofTree: number))
      // Rows may be there nevertheless: those that its first job stages in place.
      guard latest > 0 else { return nil }
      return wanted >= latest ? .current(tree: number) : .asOf(tree: number, sequence: wanted)
    case .staged(let number):
      let job = try existingJob(number)
      return .staged(
        tree: job.tree, job: try ordered(job.number), sequence: try ordered(job.record.description.sequence))
    case .everyContent: return nil
    }
  }

  // MARK: Rows

  /// Up to `limit` rows of a range of directories after a position.
  func rows(
    _ source: StateSource, _ range: DirectoryRange, after position: CanonicalPosition?, limit: Int,
    directoriesOnly: Bool = false
  ) throws(CatalogError) -> [StateRow] {
    guard limit > 0 else { return [] }
    var rows: [StateRow] = []
    var rest = range
    if let position {
      rows = try self.rows(
        source, directory: position.directory, from: position.name.successor, limit: limit,
        directoriesOnly: directoriesOnly)
      rest = range.after(position.directory)
    }
    guard rows.count < limit else { return rows }
    let (sql, values) = source.range(rest, limit: limit - rows.count, directoriesOnly: directoriesOnly)
    return rows + (try self.rows(try queryInOrder(sql, values)))
  }

  /// Up to `limit` rows of one directory, from a name on.
  func rows(
    _ source: StateSource, directory: DirectoryKey, from name: ByteString, limit: Int, directoriesOnly: Bool = false
  ) throws(CatalogError) -> [StateRow] {
    guard limit > 0 else { return [] }
    let (sql, values) = source.directory(directory, from: name, limit: limit, directoriesOnly: directoriesOnly)
    return try rows(try query(sql, values))
  }

  /// The row at one position.
  func row(_ source: StateSource, at position: CanonicalPosition) throws(CatalogError) -> StateRow? {
    let found = try rows(source, directory: position.directory, from: position.name, limit: 1).first
    return found?.entry.name == position.name ? found : nil
  }

  private func rows(_ result: consuming ServerResult) throws(CatalogError) -> [StateRow] {
    var result = result
    var reader = StateRowReader(self)
    var rows: [StateRow] = []
    rows.reserveCapacity(Int(result.rowCount))
    while result.step() { rows.append(try reader.row(result)) }
    return rows
  }

  func directories(
    of selection: SelectionSource, from key: [UInt8], limit: Int
  ) throws(CatalogError) -> [DirectoryKey] {
    guard let source = try stateSource(of: selection) else { return [] }
    var rows = try queryInOrder(
      "SELECT key FROM (\(StateSource.directoryRange)) AS d ORDER BY head, key LIMIT $4",
      [.integer(source.tree), .bytes(key), .bytes(DirectoryRange.end), .integer(Int64(limit))])
    var keys: [DirectoryKey] = []
    while rows.step() { keys.append(DirectoryKey(keyBytes: Array(try rows.bytes(0)))) }
    return keys
  }

  // MARK: Inodes

  func knownContents(of tree: Tree, _ questions: [InodeQuestion]) throws(CatalogError) -> [ContentReference?] {
    guard let tree = try treeNumber(tree) else { return questions.map { _ in nil } }
    return try contents(
      """
      FROM entry_current AS s
      WHERE s.tree = $3 AND s.inode = q.inode AND s.content_session IS NOT NULL AND s.device = q.device
        AND NOT EXISTS (SELECT 1 FROM job AS j WHERE j.tree = $3 AND j.in_place = 1)
      """, first: "s.first", .integer(tree), questions)
  }

  /// How many names of one inode are looked at for each question.
  private static let namesPerInode = 256

  /// The contents of the rows `s` that a condition on a question `q` finds; $3 is the condition's own.
  func contents(
    _ condition: String, first: String, _ parameter: ServerValue, _ questions: [InodeQuestion]
  ) throws(CatalogError) -> [ContentReference?] {
    guard !questions.isEmpty else { return [] }
    var rows = try query(
      """
      SELECT x.directory, (SELECT d.key FROM directory AS d WHERE d.id = x.directory), x.name, x.first,
        x.content_session, x.content_index, x.device, x.inode, x.attributes, x.extents, x.extended_session,
        x.extended_index, q.place
      FROM unnest($1::int8[], $2::int8[]) WITH ORDINALITY AS q(inode, device, place) CROSS JOIN LATERAL (
        SELECT s.directory, s.name, \(first) AS first, s.content_session, s.content_index, s.device, s.inode,
          s.attributes, s.extents, s.extended_session, s.extended_index
        \(condition) LIMIT \(Self.namesPerInode)
      ) AS x
      """,
      [
        .integers(questions.map { Int64(bitPattern: $0.inode) }),
        .integers(questions.map { Int64(bitPattern: $0.device) }), parameter,
      ])
    var reader = StateRowReader(self)
    var answers = [ContentReference?](repeating: nil, count: questions.count)
    while rows.step() {
      let place = try rows.integer(12)
      guard questions.indices.contains(Int(place) - 1) else { throw .corrupt("an answer has no question") }
      let question = questions[Int(place) - 1]
      guard answers[Int(place) - 1] == nil else { continue }
      let entry = try reader.row(rows).entry
      if entry.attributes.type == .regular, entry.attributes.size == question.size,
        entry.attributes.modified == question.modified
      {
        answers[Int(place) - 1] = entry.content
      }
    }
    return answers
  }
}
