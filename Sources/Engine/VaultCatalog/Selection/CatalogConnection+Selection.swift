import VaultModel

extension CatalogConnection {
  func readSelection(
    of source: SelectionSource, _ selection: Selection, pass: SelectionPass, after cursor: SelectionCursor?, limit: Int,
    _ visit: (StateRow) throws -> Void
  ) throws(CatalogError) -> SelectionCursor? {
    if source == .everyContent {
      return pass == .contents ? try readEveryContent(after: cursor, limit: limit, visit) : nil
    }
    guard limit > 0 else { return nil }
    try checkOpen()
    if let rows = cursor?.waiting {
      return try readMaterialized(rows, pass, after: cursor?.row ?? 0, limit: limit, visit)
    }
    guard let found = try stateSource(of: source) else {
      guard cursor == nil else { throw CatalogError.selectionHasGone }
      return nil
    }
    if case .paths(let paths) = selection, pass == .directories {
      return try readDirectories(found, SelectionPlan(paths: paths), after: cursor?.position, limit: limit, visit)
    }
    let rows = try materialize(selection, pass, of: found)
    do throws(CatalogError) {
      return try readMaterialized(rows, pass, after: 0, limit: limit, visit)
    } catch {
      try drop(rows)
      throw error
    }
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
      if count == limit { return SelectionCursor(position: last) }
    }
    return nil
  }

  // MARK: Sorted rows

  private func readMaterialized(
    _ rows: WaitingRows, _ pass: SelectionPass, after row: Int64, limit: Int, _ visit: (StateRow) throws -> Void
  ) throws(CatalogError) -> SelectionCursor? {
    switch selections[rows.number] {
    case .memory(let sorted): return try read(sorted, rows, after: row, limit: limit, visit)
    case .table: break
    case nil: throw CatalogError.selectionHasGone
    }
    let select = try statement(MaterializedSelection(pass: pass, table: rows.number).select)
    defer { select.statement.reset() }
    try select.statement.bind(row, at: 1)
    var reader = StateRowReader(self)
    var last = row
    var count = 0
    while try select.statement.step() {
      if count == limit { return SelectionCursor(row: last, waiting: rows) }
      let directory = select.statement.integer(0)
      if !reader.knows(directory) { reader.enter(directory, try key(ofDirectory: directory)) }
      var row = try reader.row(select.statement)
      row.leadsOnly = select.statement.integer(13) != 0
      do { try visit(row) } catch { throw CatalogError.fromCaller(error) }
      last = select.statement.integer(12)
      count += 1
    }
    select.statement.reset()
    try drop(rows)
    return nil
  }

  private func read(
    _ sorted: SelectionRows, _ rows: WaitingRows, after row: Int64, limit: Int, _ visit: (StateRow) throws -> Void
  ) throws(CatalogError) -> SelectionCursor? {
    let last = row + Int64(try sorted.read(after: row, limit: limit, visit))
    if last < sorted.count { return SelectionCursor(row: last, waiting: rows) }
    try drop(rows)
    return nil
  }

  /// Rows of one directory mostly follow each other: this costs less than joining each with it.
  private func key(ofDirectory number: DirectoryNumber) throws(CatalogError) -> DirectoryKey {
    let select = try statement("SELECT key FROM directory WHERE id = ?1")
    defer { select.statement.reset() }
    try select.statement.bind(number, at: 1)
    guard try select.statement.step() else { throw CatalogError.selectionHasGone }
    return DirectoryKey(keyBytes: Array(select.statement.bytes(0)))
  }

  func endReading(_ cursor: SelectionCursor) throws(CatalogError) {
    if let rows = cursor.waiting, selections[rows.number] != nil { try drop(rows) }
  }

  /// Sorts the rows of a selection, in memory if they fit, else into a table of their own.
  private func materialize(
    _ selected: Selection, _ pass: SelectionPass, of source: StateSource
  ) throws(CatalogError) -> WaitingRows {
    selectionCount += 1
    let selection = MaterializedSelection(pass: pass, table: selectionCount)
    try beginChoosing()
    switch selected {
    case .paths(let paths): try choose(SelectionPlan(paths: paths), source)
    case .noted(let number): try choose(number, source)
    }
    let withNames = try number("SELECT EXISTS (SELECT 1 FROM temp.chosen_name)") == 1
    let rows = WaitingRows(number: selection.table)
    if pass == .contents, let sorted = try sortInMemory(source, withNames: withNames) {
      selections[rows.number] = .memory(sorted)
      return rows
    }
    try execute(selection.create)
    selections[rows.number] = .table
    do {
      let fill = try statement(selection.fill(from: source, withNames: withNames))
      try bind(source, to: fill)
      try fill.statement.run()
    } catch {
      try drop(rows)
      throw error
    }
    return rows
  }

  /// Nil when there is no room for the rows. One statement reads them: of one state of the catalog.
  private func sortInMemory(_ source: StateSource, withNames: Bool) throws(CatalogError) -> SelectionRows? {
    let used = selections.values.reduce(0) { sum, waiting in
      if case .memory(let rows) = waiting { sum + rows.byteCount } else { sum }
    }
    let room = sortByteCount - used
    // Little room is worth no attempt.
    guard room > 0, room >= sortByteCount / 2 else { return nil }
    var collector = SelectionCollector(byteLimit: room)
    let select = try statement(MaterializedSelection.rows(of: source, withNames: withNames))
    defer { select.statement.reset() }
    try bind(source, to: select)
    while try select.statement.step() {
      guard try collector.add(select.statement) else { return nil }
    }
    return try collector.sorted(places)
  }

  private func places(_ sessions: [Int64]) throws(CatalogError) -> [Int64: SessionPlace] {
    let select = try statement(
      "SELECT s.uuid, j.number FROM session AS s LEFT JOIN job AS j ON j.session = s.id WHERE s.id = ?1")
    defer { select.statement.reset() }
    var places: [Int64: SessionPlace] = [:]
    for session in sessions {
      select.statement.reset()
      try select.statement.bind(session, at: 1)
      guard try select.statement.step() else { continue }
      places[session] = SessionPlace(
        identifier: try select.statement.identifier(0),
        jobNumber: select.statement.isNull(1) ? nil : select.statement.integer(1))
    }
    return places
  }

  private func bind(_ source: StateSource, to rows: CachedStatement) throws(CatalogError) {
    switch source {
    case .current: break
    case .asOf(_, let sequence): try rows.statement.bind(sequence, at: 1)
    case .staged(_, let job, let sequence):
      try rows.statement.bind(job, at: 1)
      try rows.statement.bind(sequence, at: 2)
    }
  }

  /// Makes room for the directories and names that `fill` and `rows` take.
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

  private func drop(_ rows: WaitingRows) throws(CatalogError) {
    guard case .table = selections.removeValue(forKey: rows.number) else { return }
    let table = MaterializedSelection(pass: .contents, table: rows.number).tableName
    forget(table)
    try execute("DROP TABLE IF EXISTS \(table)")
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
    let table = NotedSelection.table(number)
    forget(table)
    try execute("DROP TABLE IF EXISTS \(table)")
  }

  private func known(_ number: SelectionNumber) throws(CatalogError) -> SelectionNumber {
    guard notedSelections.contains(number) else { throw CatalogError(.notFound, "there is no selection \(number)") }
    return number
  }
}
