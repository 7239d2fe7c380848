import VaultModel

extension CatalogConnection {
  func readState(
    of tree: Tree, sequence: UInt64, after position: CanonicalPosition?, limit: Int, _ visit: (StateRow) throws -> Void
  ) throws(CatalogError) -> Bool {
    guard let source = try source(of: tree, sequence: sequence) else { return false }
    return try read(source, .everything, after: position, limit: limit, visit) == limit
  }

  func readRows(
    of selection: SelectionSource, within directory: DirectoryKey, after position: CanonicalPosition?, limit: Int,
    _ visit: (StateRow) throws -> Void
  ) throws(CatalogError) -> Bool {
    guard let source = try stateSource(of: selection) else { return false }
    let range = DirectoryRange(within: directory)
    return try read(source, range, after: position, limit: limit, visit) == limit
  }

  func readDirectory(
    of selection: SelectionSource, directory: DirectoryKey, after name: ByteString?, limit: Int,
    _ visit: (StateRow) throws -> Void
  ) throws(CatalogError) -> Bool {
    guard let source = try stateSource(of: selection) else { return false }
    let first = name?.successor ?? ""
    return try read(source, directory: directory, from: first, limit: limit, visit) == limit
  }

  func entry(of selection: SelectionSource, at position: CanonicalPosition) throws(CatalogError) -> Entry? {
    guard let source = try stateSource(of: selection) else { return nil }
    return try row(source, at: position)?.entry
  }

  func directories(
    of selection: SelectionSource, from key: [UInt8], limit: Int
  ) throws(CatalogError) -> [DirectoryKey] {
    guard let source = try stateSource(of: selection) else { return [] }
    let select = try statement("SELECT key FROM directory WHERE tree = ?1 AND key >= ?2 ORDER BY key LIMIT ?3")
    defer { select.statement.reset() }
    try select.statement.bind(source.tree, at: 1)
    try select.statement.bind(key, at: 2)
    try select.statement.bind(Int64(limit), at: 3)
    var keys: [DirectoryKey] = []
    while try select.statement.step() { keys.append(DirectoryKey(keyBytes: Array(select.statement.bytes(0)))) }
    return keys
  }

  /// The row at one position.
  func row(_ source: StateSource, at position: CanonicalPosition) throws(CatalogError) -> StateRow? {
    var found: StateRow?
    _ = try read(source, directory: position.directory, from: position.name, limit: 1) { found = $0 }
    return found?.entry.name == position.name ? found : nil
  }

  func knownContents(of tree: Tree, _ questions: [InodeQuestion]) throws(CatalogError) -> [ContentReference?] {
    // What a tree's first job stages in place is not known before it is published.
    guard let tree = try treeNumber(tree), try latestSequence(ofTree: tree) > 0 else {
      return questions.map { _ in nil }
    }
    if !hasInodeIndex {
      try execute(CatalogSchema.createInodeIndex)
      hasInodeIndex = true
    }
    let select = try statement(
      """
      SELECT e.directory, d.key, e.name, e.first, e.content_session, e.content_index, e.device, e.inode, e.attributes,
        e.extents, e.extended_session, e.extended_index
      FROM entry_current AS e INDEXED BY \(CatalogSchema.inodeIndexName) CROSS JOIN directory AS d ON d.id = e.directory
      WHERE e.inode = ?1 AND e.content_session IS NOT NULL AND e.device = ?2 AND d.tree = ?3
      """)
    defer { select.statement.reset() }
    var reader = StateRowReader(self)
    var answers: [ContentReference?] = []
    answers.reserveCapacity(questions.count)
    for question in questions {
      select.statement.reset()
      try select.statement.bind(Int64(bitPattern: question.inode), at: 1)
      try select.statement.bind(Int64(bitPattern: question.device), at: 2)
      try select.statement.bind(tree, at: 3)
      var answer: ContentReference?
      while answer == nil, try select.statement.step() {
        let entry = try reader.row(select.statement).entry
        guard entry.attributes.type == .regular, entry.attributes.size == question.size,
          entry.attributes.modified == question.modified
        else { continue }
        answer = entry.content
      }
      answers.append(answer)
    }
    return answers
  }

  // MARK: Sources

  /// Where the rows of a source are; nil when the catalog does not know its tree, or no state of it.
  func stateSource(of selection: SelectionSource) throws(CatalogError) -> StateSource? {
    switch selection {
    case .state(let tree, let sequence): try source(of: tree, sequence: sequence)
    case .staged(let job): try source(staged: job)
    case .everyContent: nil
    }
  }

  /// Where the rows of a tree as at a sequence are; nil when the catalog does not know the tree, or no state of it.
  func source(of tree: Tree, sequence: UInt64) throws(CatalogError) -> StateSource? {
    guard let number = try treeNumber(tree) else { return nil }
    let (wanted, latest) = (Int64(clamping: sequence), try latestSequence(ofTree: number))
    // Rows may be there nevertheless: those that its first job stages in place.
    guard latest > 0 else { return nil }
    return wanted >= latest ? .current(tree: number) : .asOf(tree: number, sequence: wanted)
  }

  func source(staged number: JobNumber) throws(CatalogError) -> StateSource {
    let job = try existingJob(number)
    return .staged(
      tree: job.tree, job: try ordered(job.number), sequence: try ordered(job.record.description.sequence))
  }

  // MARK: Rows

  /// Visits up to `limit` rows of a range after a position; returns how many.
  func read(
    _ source: StateSource, _ range: DirectoryRange, after position: CanonicalPosition?, limit: Int,
    directoriesOnly: Bool = false, _ visit: (StateRow) throws -> Void
  ) throws(CatalogError) -> Int {
    guard limit > 0 else { return 0 }
    guard let position else { return try read(source, range, limit: limit, directoriesOnly: directoriesOnly, visit) }
    let count = try read(
      source, directory: position.directory, from: position.name.successor, limit: limit,
      directoriesOnly: directoriesOnly, visit)
    guard count < limit else { return count }
    let rest = range.after(position.directory)
    return count + (try read(source, rest, limit: limit - count, directoriesOnly: directoriesOnly, visit))
  }

  private func read(
    _ source: StateSource, _ range: DirectoryRange, limit: Int, directoriesOnly: Bool,
    _ visit: (StateRow) throws -> Void
  ) throws(CatalogError) -> Int {
    let select = try statement(source.rangeStatement(directoriesOnly: directoriesOnly))
    defer { select.statement.reset() }
    try source.bind(to: select.statement)
    try select.statement.bind(range.low, at: 2)
    try select.statement.bind(range.high, at: 3)
    return try visitRows(of: select, limit: limit, visit)
  }

  private func read(
    _ source: StateSource, directory: DirectoryKey, from name: ByteString, limit: Int,
    directoriesOnly: Bool = false, _ visit: (StateRow) throws -> Void
  ) throws(CatalogError) -> Int {
    guard limit > 0 else { return 0 }
    let select = try statement(source.directoryStatement(directoriesOnly: directoriesOnly))
    defer { select.statement.reset() }
    try source.bind(to: select.statement)
    try select.statement.bind(directory.bytes, at: 2)
    try select.statement.bind(name, at: 3)
    return try visitRows(of: select, limit: limit, visit)
  }

  private func visitRows(
    of select: CachedStatement, limit: Int, _ visit: (StateRow) throws -> Void
  ) throws(CatalogError) -> Int {
    var reader = StateRowReader(self)
    var count = 0
    while count < limit, try select.statement.step() {
      let row = try reader.row(select.statement)
      do { try visit(row) } catch { throw CatalogError.fromCaller(error) }
      count += 1
    }
    return count
  }
}
