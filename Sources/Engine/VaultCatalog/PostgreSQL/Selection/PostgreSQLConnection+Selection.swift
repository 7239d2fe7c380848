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

  /// Sorts a selection's rows under a number; part of a transaction.
  ///
  /// - Returns: how many rows there are.
  func fillSelection(
    _ number: Int, _ selection: Selection, _ pass: SelectionPass, _ source: StateSource
  ) throws(CatalogError) -> Int64 {
    try execute(ServerSelection.temporaryTables)
    switch selection {
    case .paths(let paths): try choose(SelectionPlan(paths: paths), source)
    case .noted(let number): try choose(number, source)
    }
    try execute("ANALYZE pg_temp.chosen_directory, pg_temp.chosen_name")
    // How many directories were chosen is known by now.
    try allowWholeJoins()
    var values: [ServerValue] = [.integer(Int64(number)), .integer(source.tree)]
    switch source {
    case .current: break
    case .asOf(_, let sequence): values.append(.integer(sequence))
    case .staged(_, let job, let sequence): values += [.integer(job), .integer(sequence)]
    }
    return Int64(try run(ServerSelection(source: source, pass: pass).fill, values))
  }

  private func choose(_ plan: SelectionPlan, _ source: StateSource) throws(CatalogError) {
    for piece in plan.pieces {
      switch piece {
      case .ancestor: break
      case .below(let range):
        try run(
          "INSERT INTO pg_temp.chosen_directory(id) SELECT id FROM (\(StateSource.directoryRange)) AS d",
          [.integer(source.tree), .bytes(range.low), .bytes(range.high)])
      case .selected(let place):
        guard let directory = try directoryNumber(place.directory, tree: source.tree) else { continue }
        try run(
          "INSERT INTO pg_temp.chosen_name(directory, name, leads) VALUES ($1, $2, 0)",
          [.integer(directory), .bytes(place.name.bytes)])
      }
    }
  }

  private func choose(_ number: SelectionNumber, _ source: StateSource) throws(CatalogError) {
    let values: [ServerValue] = [.integer(source.tree), .integer(Int64(number))]
    let head = StateSource.head
    try run(
      """
      INSERT INTO pg_temp.chosen_directory(id)
      SELECT d.id FROM selection_place AS n JOIN directory AS d ON d.tree = $1 AND d.key >= n.key AND d.key < n.high
        AND \(head("d.key")) >= \(head("n.key")) AND \(head("d.key")) <= \(head("n.high"))
      WHERE n.selection = $2 AND n.kind = \(NotedSelection.below) ON CONFLICT DO NOTHING
      """, values)
    try run(
      """
      INSERT INTO pg_temp.chosen_name(directory, name, leads)
      SELECT DISTINCT d.id, n.name, (n.kind = \(NotedSelection.onTheWay))::int::int8
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

  /// A page of waiting rows; nil when they are not all there.
  func selectionPage(
    _ waiting: WaitingRows, after row: Int64, limit: Int
  ) throws(CatalogError) -> SelectionPage? {
    var rows = try query(
      ServerSelection.read, [.integer(Int64(waiting.number)), .integer(row), .integer(Int64(limit) + 1)])
    var reader = StateRowReader(self)
    var page = SelectionPage()
    var last = row
    var directory: Int64?
    while rows.step() {
      if page.rows.count == limit {
        page.cursor = SelectionCursor(row: last, waiting: waiting)
        return page
      }
      let isAnother = try rows.integer(0) != directory
      guard !isAnother || !rows.isNull(1) else { throw CatalogError.selectionHasGone }
      directory = try rows.integer(0)
      var found = try reader.row(rows)
      found.leadsOnly = try rows.integer(13) != 0
      last = try rows.integer(12)
      page.rows.append(found)
    }
    return last < waiting.count ? nil : page
  }

  func drop(_ waiting: WaitingRows) throws(CatalogError) {
    try run("DELETE FROM selection_row WHERE selection = $1", [.integer(Int64(waiting.number))])
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
