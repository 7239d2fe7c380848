import VaultModel

extension CatalogConnection {
  func readSelection(
    of source: SelectionSource, _ selection: Selection, pass: SelectionPass, after cursor: SelectionCursor?, limit: Int,
    _ visit: (StateRow) throws -> Void
  ) throws(CatalogError) -> SelectionCursor? {
    if source == .everyContent {
      return pass == .contents ? try readEveryContent(after: cursor, limit: limit, visit) : nil
    }
    guard limit > 0, let found = try stateSource(of: source) else { return nil }
    if case .paths(let paths) = selection, pass == .directories {
      return try readDirectories(found, SelectionPlan(paths: paths), after: cursor?.position, limit: limit, visit)
    }
    let key = MaterializedSelection.Key(source: source, selection: selection, pass: pass)
    return try readMaterialized(found, key, after: cursor?.row ?? 0, limit: limit, visit)
  }

  // MARK: Directories

  private func readDirectories(
    _ source: StateSource, _ plan: SelectionPlan, after position: CanonicalPosition?, limit: Int,
    _ visit: (StateRow) throws -> Void
  ) throws(CatalogError) -> SelectionCursor? {
    var count = 0
    var last = position
    func give(_ row: StateRow, leadsOnly: Bool) throws(CatalogError) {
      var row = row
      row.leadsOnly = leadsOnly
      do { try visit(row) } catch { throw CatalogError.fromCaller(error) }
      last = CanonicalPosition(directory: row.directory, name: row.entry.name)
      count += 1
    }
    for piece in plan.pieces {
      switch piece {
      case .ancestor(let place), .selected(let place):
        if let position, place <= position { continue }
        guard let row = try row(source, at: place), row.entry.attributes.type == .directory else { continue }
        if case .ancestor = piece { try give(row, leadsOnly: true) } else { try give(row, leadsOnly: false) }
      case .below(let range):
        // A position inside the range continues it; one behind it ends it; one before it does not matter.
        if let position, !(position.directory.bytes < ByteString(range.high)) { continue }
        let start = position.flatMap { $0.directory.bytes < ByteString(range.low) ? nil : $0 }
        _ = try read(source, range, after: start, limit: limit - count, directoriesOnly: true) { row in
          try give(row, leadsOnly: false)
        }
      }
      if count == limit { return SelectionCursor(position: last, row: 0) }
    }
    return nil
  }

  // MARK: Sorted rows

  private func readMaterialized(
    _ source: StateSource, _ key: MaterializedSelection.Key, after row: Int64, limit: Int,
    _ visit: (StateRow) throws -> Void
  ) throws(CatalogError) -> SelectionCursor? {
    let selection = try materialized(key, source)
    let select = try statement(selection.select)
    defer { select.statement.reset() }
    try select.statement.bind(row, at: 1)
    var reader = StateRowReader(self)
    var last = row
    var count = 0
    while try select.statement.step() {
      if count == limit { return SelectionCursor(position: nil, row: last) }
      guard !select.statement.isNull(1) else { throw CatalogError.selectionHasGone }
      var row = try reader.row(select.statement)
      row.leadsOnly = select.statement.integer(13) != 0
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
    try beginChoosing()
    switch key.selection {
    case .paths(let paths): try choose(SelectionPlan(paths: paths), source)
    case .noted(let number): try choose(number, source)
    }
    try execute(selection.create)
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
    let withNames = try number("SELECT EXISTS (SELECT 1 FROM temp.chosen_name)") == 1
    let fill = try statement(selection.fill(from: source, withNames: withNames))
    switch source {
    case .current: break
    case .asOf(_, let sequence): try fill.statement.bind(sequence, at: 1)
    case .staged(_, let job, let sequence):
      try fill.statement.bind(job, at: 1)
      try fill.statement.bind(sequence, at: 2)
    }
    try fill.statement.run()
  }

  /// Makes room for the directories and names that `fill` takes.
  private func beginChoosing() throws(CatalogError) {
    try execute(
      """
      CREATE TEMP TABLE IF NOT EXISTS chosen_directory(id INTEGER PRIMARY KEY);
      CREATE TEMP TABLE IF NOT EXISTS chosen_name(directory INTEGER, name BLOB, leads INTEGER);
      DELETE FROM temp.chosen_directory;
      DELETE FROM temp.chosen_name;
      """)
  }

  private func choose(_ plan: SelectionPlan, _ source: StateSource) throws(CatalogError) {
    let directories = try statement(
      "INSERT INTO temp.chosen_directory(id) SELECT id FROM directory WHERE tree = ?1 AND key >= ?2 AND key < ?3"
    )
    let names = try statement("INSERT INTO temp.chosen_name(directory, name, leads) VALUES (?1, ?2, 0)")
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

  private func choose(_ number: SelectionNumber, _ source: StateSource) throws(CatalogError) {
    let table = NotedSelection.table(try known(number))
    for sql in [NotedSelection.chooseDirectories(from: table), NotedSelection.chooseNames(from: table)] {
      let insert = try statement(sql)
      try insert.statement.bind(source.tree, at: 1)
      try insert.statement.run()
    }
  }

  private func drop(_ selection: MaterializedSelection) throws(CatalogError) {
    selections.removeAll { $0.table == selection.table }
    forget(selection.tableName)
    try execute("DROP TABLE IF EXISTS \(selection.tableName)")
  }

  // MARK: Noted selections

  func beginSelection() throws(CatalogError) -> SelectionNumber {
    selectionCount += 1
    try execute(NotedSelection.create(selectionCount))
    notedSelections.insert(selectionCount)
    return selectionCount
  }

  func select(_ places: [SelectedPlace], in number: SelectionNumber) throws(CatalogError) {
    let insert = try statement(NotedSelection.insert(into: NotedSelection.table(try known(number))))
    for place in places {
      switch place {
      case .onTheWay(let position): try bind(insert, NotedSelection.onTheWay, position.directory, position.name)
      case .entry(let position): try bind(insert, NotedSelection.entry, position.directory, position.name)
      case .below(let directory): try bind(insert, NotedSelection.below, directory, "")
      }
      try insert.statement.run()
    }
  }

  private func bind(
    _ insert: CachedStatement, _ kind: Int64, _ directory: DirectoryKey, _ name: ByteString
  ) throws(CatalogError) {
    try insert.statement.bind(kind, at: 1)
    try insert.statement.bind(directory.bytes, at: 2)
    try insert.statement.bind(name, at: 3)
    try insert.statement.bind(DirectoryRange(within: directory).high, at: 4)
  }

  func endSelection(_ number: SelectionNumber) throws(CatalogError) {
    guard notedSelections.remove(number) != nil else { return }
    for selection in selections where selection.key.selection == .noted(number) { try drop(selection) }
    let table = NotedSelection.table(number)
    forget(table)
    try execute("DROP TABLE IF EXISTS \(table)")
  }

  private func known(_ number: SelectionNumber) throws(CatalogError) -> SelectionNumber {
    guard notedSelections.contains(number) else { throw CatalogError(.notFound, "there is no selection \(number)") }
    return number
  }
}
