import VaultModel

extension CatalogConnection {
  func readSelection(
    of selection: SelectionSource, paths: [ByteString], pass: SelectionPass, after cursor: SelectionCursor?, limit: Int,
    _ visit: (StateRow) throws -> Void
  ) throws(CatalogError) -> SelectionCursor? {
    if selection == .everyContent {
      return pass == .contents ? try readEveryContent(after: cursor, limit: limit, visit) : nil
    }
    guard limit > 0, let source = try stateSource(of: selection) else { return nil }
    switch pass {
    case .directories:
      return try readDirectories(source, SelectionPlan(paths: paths), after: cursor?.position, limit: limit, visit)
    case .contents:
      let key = MaterializedSelection.Key(source: selection, paths: paths)
      return try readContents(source, key, after: cursor?.row ?? 0, limit: limit, visit)
    }
  }

  private func stateSource(of selection: SelectionSource) throws(CatalogError) -> StateSource? {
    switch selection {
    case .state(let tree, let sequence): try source(of: tree, sequence: sequence)
    case .staged(let job): try source(staged: job)
    case .everyContent: nil
    }
  }

  // MARK: Directories

  private func readDirectories(
    _ source: StateSource, _ plan: SelectionPlan, after position: CanonicalPosition?, limit: Int,
    _ visit: (StateRow) throws -> Void
  ) throws(CatalogError) -> SelectionCursor? {
    var count = 0
    var last = position
    func give(_ row: StateRow) throws(CatalogError) {
      do { try visit(row) } catch { throw CatalogError.fromCaller(error) }
      last = CanonicalPosition(directory: row.directory, name: row.entry.name)
      count += 1
    }
    for piece in plan.pieces {
      switch piece {
      case .ancestor(let place), .selected(let place):
        if let position, place <= position { continue }
        guard let row = try row(source, at: place), row.entry.attributes.type == .directory else { continue }
        try give(row)
      case .below(let range):
        // A position inside the range continues it; one behind it ends it; one before it does not matter.
        if let position, !(position.directory.bytes < ByteString(range.high)) { continue }
        let start = position.flatMap { $0.directory.bytes < ByteString(range.low) ? nil : $0 }
        _ = try read(source, range, after: start, limit: limit - count, accept: StateRowReader.isDirectory, give)
      }
      if count == limit { return SelectionCursor(position: last, row: 0) }
    }
    return nil
  }

  // MARK: Contents

  private func readContents(
    _ source: StateSource, _ key: MaterializedSelection.Key, after row: Int64, limit: Int,
    _ visit: (StateRow) throws -> Void
  ) throws(CatalogError) -> SelectionCursor? {
    let selection = try materialized(key, source)
    let select = try statement(selection.select(from: source))
    defer { select.statement.reset() }
    try select.statement.bind(row, at: 1)
    if case .staged(_, let job, let sequence) = source {
      try select.statement.bind(sequence, at: 2)
      try select.statement.bind(job, at: 3)
    }
    var reader = StateRowReader(self)
    var last = row
    var count = 0
    while try select.statement.step() {
      if count == limit { return SelectionCursor(position: nil, row: last) }
      guard !select.statement.isNull(8) else {
        throw CatalogError(.notFound, "an entry of the selection has left the catalog meanwhile")
      }
      let row = try reader.row(select.statement)
      do { try visit(row) } catch { throw CatalogError.fromCaller(error) }
      last = select.statement.integer(12)
      count += 1
    }
    select.statement.reset()
    try drop(selection)
    return nil
  }

  /// The sorted rows of a selection, made when they do not wait already.
  private func materialized(
    _ key: MaterializedSelection.Key, _ source: StateSource
  ) throws(CatalogError) -> MaterializedSelection {
    if let known = selections.first(where: { $0.key == key }) { return known }
    if selections.count >= MaterializedSelection.limit, let oldest = selections.first { try drop(oldest) }
    selectionCount += 1
    let selection = MaterializedSelection(key: key, table: selectionCount)
    try choose(SelectionPlan(paths: key.paths), source)
    try execute(
      """
      CREATE TEMP TABLE selection_\(selection.table)(
        id INTEGER PRIMARY KEY, directory INTEGER, name BLOB, first INTEGER)
      """
    )
    selections.append(selection)
    do {
      try fill(selection, source)
    } catch {
      try drop(selection)
      throw error
    }
    return selection
  }

  private func fill(_ selection: MaterializedSelection, _ source: StateSource) throws(CatalogError) {
    let fill = try statement(
      """
      INSERT INTO \(selection.tableName)(directory, name, first)
      SELECT directory, name, first FROM (\(MaterializedSelection.arms(of: source).joined(separator: " UNION ALL ")))
      ORDER BY place, content_index, device, inode, directory, name
      """
    )
    switch source {
    case .current: break
    case .asOf(_, let sequence): try fill.statement.bind(sequence, at: 1)
    case .staged(_, let job, _): try fill.statement.bind(job, at: 1)
    }
    try fill.statement.run()
  }

  /// Notes the directories and names of a plan for `fill`.
  private func choose(_ plan: SelectionPlan, _ source: StateSource) throws(CatalogError) {
    try execute(
      """
      CREATE TEMP TABLE IF NOT EXISTS chosen_directory(id INTEGER PRIMARY KEY);
      CREATE TEMP TABLE IF NOT EXISTS chosen_name(directory INTEGER, name BLOB);
      DELETE FROM temp.chosen_directory;
      DELETE FROM temp.chosen_name;
      """)
    let directories = try statement(
      "INSERT INTO temp.chosen_directory(id) SELECT id FROM directory WHERE tree = ?1 AND key >= ?2 AND key < ?3"
    )
    let names = try statement("INSERT INTO temp.chosen_name(directory, name) VALUES (?1, ?2)")
    for piece in plan.pieces {
      switch piece {
      case .ancestor: break
      case .below(let range):
        try directories.statement.bind(source.tree, at: 1)
        try directories.statement.bind(range.low, at: 2)
        try directories.statement.bind(range.high, at: 3)
        try directories.statement.run()
      case .selected(let place):
        guard let directory = try directoryNumber(place.directory, tree: source.tree) else { continue }
        try names.statement.bind(directory, at: 1)
        try names.statement.bind(place.name, at: 2)
        try names.statement.run()
      }
    }
  }

  private func drop(_ selection: MaterializedSelection) throws(CatalogError) {
    selections.removeAll { $0.table == selection.table }
    forget(selection.tableName)
    try execute("DROP TABLE IF EXISTS \(selection.tableName)")
  }
}
