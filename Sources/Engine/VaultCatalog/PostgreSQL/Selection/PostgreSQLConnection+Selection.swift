import VaultModel

/// A page of a selection.
struct SelectionPage {
  var rows: [StateRow] = []
  /// Where the next page begins; nil when there is none.
  var cursor: SelectionCursor?
}

extension PostgreSQLConnection {
  // MARK: Directories

  func directoryPage(
    _ source: StateSource, _ plan: SelectionPlan, after position: CanonicalPosition?, limit: Int
  ) throws(CatalogError) -> SelectionPage {
    var page = SelectionPage()
    for piece in plan.pieces {
      switch piece {
      case .ancestor(let place), .selected(let place):
        if let position, place <= position { continue }
        guard var row = try row(source, at: place), row.entry.attributes.type == .directory else { continue }
        if case .ancestor = piece { row.leadsOnly = true }
        page.rows.append(row)
      case .below(let range):
        // A position inside the range continues it; one behind it ends it; one before it does not matter.
        if let position, !(position.directory.bytes < ByteString(range.high)) { continue }
        let start = position.flatMap { $0.directory.bytes < ByteString(range.low) ? nil : $0 }
        page.rows += try rows(
          source, range, after: start, limit: limit - page.rows.count, directoriesOnly: true)
      }
      if page.rows.count == limit, let last = page.rows.last {
        page.cursor = SelectionCursor(
          position: CanonicalPosition(directory: last.directory, name: last.entry.name))
        break
      }
    }
    return page
  }

  // MARK: Sorted rows

  /// Sorts a selection's rows into a cursor that outlives the transaction, which this is part of.
  func sortSelection(
    _ selection: Selection, _ pass: SelectionPass, _ source: StateSource
  ) throws(CatalogError) {
    try choose(selection, source)
    try run(ServerSelection(source: source, pass: pass).declaration, values(source))
    // The first row comes when all are sorted, with the session's memory; what waits from then on takes little of the server's.
    try execute(
      """
      MOVE FORWARD 1 IN \(ServerSelection.cursor);
      MOVE ABSOLUTE 0 IN \(ServerSelection.cursor);
      SET LOCAL work_mem = '4MB'
      """)
  }

  /// Takes the rows of a restore's second pass into memory; nil when there is no room. Part of a transaction.
  func collectSelection(
    _ selection: Selection, _ source: StateSource, byteLimit: Int
  ) throws(CatalogError) -> SelectionRows? {
    try choose(selection, source)
    // All rows are wanted, not the first ones soon.
    try execute("SET LOCAL cursor_tuple_fraction = 1")
    try run(ServerSelection.declarationWithoutOrder(source), values(source))
    var collector = SelectionCollector(byteLimit: byteLimit)
    var hasRoom = true
    try queryRepeatedly("FETCH FORWARD \(Self.collectedPerFetch) FROM \(ServerSelection.cursor)") {
      (found) throws(CatalogError) in
      while hasRoom, found.step() { hasRoom = try collector.add(found) }
      return hasRoom
    }
    return hasRoom ? try collector.sorted(places) : nil
  }

  /// Two pages are in memory at once.
  private static let collectedPerFetch = 1024

  private func places(_ sessions: [Int64]) throws(CatalogError) -> [Int64: SessionPlace] {
    var rows = try query(
      """
      SELECT s.id, s.uuid, j.number FROM session AS s LEFT JOIN job AS j ON j.session = s.id WHERE s.id = ANY ($1::int8[])
      """, [.integers(sessions)])
    var places: [Int64: SessionPlace] = [:]
    while rows.step() {
      places[try rows.integer(0)] = SessionPlace(
        identifier: try rows.identifier(1), jobNumber: rows.isNull(2) ? nil : try rows.integer(2))
    }
    return places
  }

  /// Notes what was chosen, for the statements of `ServerSelection`.
  private func choose(_ selection: Selection, _ source: StateSource) throws(CatalogError) {
    try execute(ServerSelection.temporaryTables)
    switch selection {
    case .paths(let paths): try choose(SelectionPlan(paths: paths), source)
    case .noted(let number): try choose(number, source)
    }
    try execute("ANALYZE pg_temp.chosen_directory, pg_temp.chosen_name")
    // How many directories were chosen is known by now.
    try allowWholeJoins()
  }

  /// The parameters of `ServerSelection`.
  private func values(_ source: StateSource) throws(CatalogError) -> [ServerValue] {
    switch source {
    case .current: [.integer(source.tree)]
    case .asOf(_, let sequence): [.integer(source.tree), .integer(sequence)]
    case .staged(_, let job, let sequence): [.integer(source.tree), .integer(job), .integer(sequence)]
    }
  }

  /// How many rows the cursor has, which stands before the first of them then.
  func countSortedRows() throws(CatalogError) -> Int64 {
    let count = try run("MOVE FORWARD ALL IN \(ServerSelection.cursor)")
    try run("MOVE ABSOLUTE 0 IN \(ServerSelection.cursor)")
    return Int64(count)
  }

  private func choose(_ plan: SelectionPlan, _ source: StateSource) throws(CatalogError) {
    for piece in plan.pieces {
      switch piece {
      case .ancestor: break
      case .below(let range):
        try run(
          "INSERT INTO pg_temp.chosen_directory(id, key) SELECT id, key FROM (\(StateSource.directoryRange)) AS d",
          [.integer(source.tree), .bytes(range.low), .bytes(range.high)])
      case .selected(let place):
        guard let directory = try directoryNumber(place.directory, tree: source.tree) else { continue }
        try run(
          "INSERT INTO pg_temp.chosen_name(directory, key, name, leads) VALUES ($1, $2, $3, 0)",
          [.integer(directory), .bytes(place.directory.bytes.bytes), .bytes(place.name.bytes)])
      }
    }
  }

  private func choose(_ number: SelectionNumber, _ source: StateSource) throws(CatalogError) {
    let values: [ServerValue] = [.integer(source.tree), .integer(Int64(number))]
    let head = StateSource.head
    try run(
      """
      INSERT INTO pg_temp.chosen_directory(id, key)
      SELECT d.id, d.key FROM selection_place AS n JOIN directory AS d ON d.tree = $1 AND d.key >= n.key AND d.key < n.high
        AND \(head("d.key")) >= \(head("n.key")) AND \(head("d.key")) <= \(head("n.high"))
      WHERE n.selection = $2 AND n.kind = \(NotedSelection.below) ON CONFLICT DO NOTHING
      """, values)
    try run(
      """
      INSERT INTO pg_temp.chosen_name(directory, key, name, leads)
      SELECT DISTINCT d.id, d.key, n.name, (n.kind = \(NotedSelection.onTheWay))::int::int8
      FROM selection_place AS n JOIN directory AS d ON d.tree = $1 AND sha256(d.key) = sha256(n.key)
      WHERE n.selection = $2 AND n.kind IN (\(NotedSelection.onTheWay), \(NotedSelection.entry))
      """, values)
  }

  /// Whether a state is the same whenever it is read: that of a published job which was not dropped.
  func isLasting(_ source: SelectionSource) throws(CatalogError) -> Bool {
    guard case .state(let tree, let sequence) = source, let tree = try treeNumber(tree) else { return false }
    return try number(
      """
      SELECT count(*) FROM job WHERE tree = $1 AND sequence = $2 AND status IN ('T', 'W') AND dropped IS NULL
      """, [.integer(tree), .integer(try ordered(sequence))]) == 1
  }

  // MARK: Noted selections

  /// Adds places to a noted selection; part of a transaction.
  func note(_ places: [SelectedPlace], in number: SelectionNumber) throws(CatalogError) {
    let spool = RowSpool()
    for place in places {
      switch place {
      case .onTheWay(let position):
        try note(spool, number, NotedSelection.onTheWay, position.directory, position.name)
      case .entry(let position): try note(spool, number, NotedSelection.entry, position.directory, position.name)
      case .below(let directory): try note(spool, number, NotedSelection.below, directory, "")
      }
    }
    try copy(spool, to: "selection_place(selection, kind, key, name, high)")
  }

  private func note(
    _ spool: RowSpool, _ number: SelectionNumber, _ kind: Int64, _ directory: DirectoryKey, _ name: ByteString
  ) throws(CatalogError) {
    try spool.beginRow(fieldCount: 5)
    spool.append(Int64(number))
    spool.append(kind)
    spool.append(directory.bytes.bytes)
    spool.append(name.bytes)
    spool.append(DirectoryRange(within: directory).high)
  }
}
