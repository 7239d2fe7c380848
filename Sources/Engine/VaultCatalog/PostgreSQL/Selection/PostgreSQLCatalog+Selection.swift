import VaultModel

extension PostgreSQLCatalog {
  package func readSelection(
    of source: SelectionSource, _ selection: Selection, pass: SelectionPass, after cursor: SelectionCursor?, limit: Int,
    _ visit: (StateRow) throws -> Void
  ) throws(CatalogError) -> SelectionCursor? {
    guard limit > 0 else { return nil }
    let page: SelectionPage
    if source == .everyContent {
      guard pass == .contents else { return nil }
      page = try everyContentPage(after: cursor, limit: limit)
    } else if case .paths(let paths) = selection, pass == .directories {
      page = try read(Self.readingSelection) { connection throws(CatalogError) in
        guard let found = try connection.stateSource(of: source) else {
          guard cursor == nil else { throw CatalogError.selectionHasGone }
          return SelectionPage()
        }
        return try connection.directoryPage(found, SelectionPlan(paths: paths), after: cursor?.position, limit: limit)
      }
    } else {
      page = try sortedPage(of: source, selection, pass, after: cursor, limit: limit)
    }
    do { try give(page.rows, visit) } catch {
      if let rows = page.cursor?.waiting, rows != cursor?.waiting { drop(rows) }
      throw error
    }
    return page.cursor
  }

  /// Does not wait for the server, as a restore may be cancelled because that is away.
  package func endReading(_ cursor: SelectionCursor) throws(CatalogError) {
    if let rows = cursor.waiting { drop(rows) }
  }

  private func drop(_ rows: WaitingRows) {
    // Its connection is closed when nobody has it any more.
    let dropped = waiting.withLock { waiting in
      (waiting.collected.removeValue(forKey: rows), waiting.sorted.removeValue(forKey: rows))
    }
    withExtendedLifetime(dropped) {}
  }

  private static let readingSelection = "reading a selection"

  private func sortedPage(
    of source: SelectionSource, _ selection: Selection, _ pass: SelectionPass, after cursor: SelectionCursor?,
    limit: Int
  ) throws(CatalogError) -> SelectionPage {
    if case .noted(let number) = selection { try checkNoted(number) }
    if let place = cursor?.waiting {
      if let rows = waiting.withLock({ $0.collected[place] }) {
        return try page(of: rows, place, after: cursor?.row ?? 0, limit: limit)
      }
    } else if pass == .contents, let (place, rows) = try collect(source, selection) {
      return try page(of: rows, place, after: 0, limit: limit)
    }
    let row = cursor?.row ?? 0
    return try retrying(Self.readingSelection) { () throws(CatalogError) -> SelectionPage in
      var found = cursor?.waiting.flatMap { place in
        waiting.withLock { $0.sorted[place] }.map { (place: place, sorted: $0) }
      }
      // A connection that broke has lost them.
      if found == nil { found = try sort(source, selection, pass, again: row > 0 ? cursor?.waiting : nil) }
      guard let rows = found else { return SelectionPage() }
      do throws(CatalogError) {
        var page = SelectionPage(rows: try rows.sorted.rows(after: row, limit: limit))
        let last = row + Int64(page.rows.count)
        if last < rows.sorted.count {
          page.cursor = SelectionCursor(row: last, waiting: rows.place)
        } else {
          drop(rows.place)
        }
        return page
      } catch {
        drop(rows.place)
        throw error
      }
    }
  }

  private func page(
    of rows: SelectionRows, _ place: WaitingRows, after row: Int64, limit: Int
  ) throws(CatalogError) -> SelectionPage {
    var page = SelectionPage()
    let last: Int64
    do throws(CatalogError) {
      last = row + Int64(try rows.read(after: row, limit: limit) { page.rows.append($0) })
    } catch {
      drop(place)
      throw error.located(activity: Self.readingSelection, path: self.place, isOnServer: true)
    }
    if last < rows.count {
      page.cursor = SelectionCursor(row: last, waiting: place)
    } else {
      drop(place)
    }
    return page
  }

  /// Takes the rows of a selection into memory and sorts them there, which is faster than the server's sorting; nil when there is no
  /// room, or no such state.
  private func collect(
    _ source: SelectionSource, _ selection: Selection
  ) throws(CatalogError) -> (place: WaitingRows, rows: SelectionRows)? {
    let room: Int? = waiting.withLock { waiting in
      guard !waiting.isCollecting else { return nil }
      let room = options.sortByteCount - waiting.collected.values.reduce(0) { $0 + $1.byteCount }
      // Little room is worth no attempt.
      waiting.isCollecting = room > 0 && room >= options.sortByteCount / 2
      return waiting.isCollecting ? room : nil
    }
    guard let room else { return nil }
    defer { waiting.withLock { $0.isCollecting = false } }
    let collected = try read(Self.readingSelection) { connection throws(CatalogError) -> SelectionRows? in
      guard let found = try connection.stateSource(of: source) else { return nil }
      return try connection.collectSelection(selection, found, byteLimit: room)
    }
    guard let collected else { return nil }
    return try waiting.withLock { waiting throws(CatalogError) in
      guard !waiting.isClosed else {
        throw CatalogError(.closed, "it was closed meanwhile").located(
          activity: Self.readingSelection, path: place, isOnServer: true)
      }
      let place = WaitingRows(number: waiting.nextNumber(), count: collected.count)
      waiting.collected[place] = collected
      return (place, collected)
    }
  }

  /// Sorts the rows of a selection; nil when there is no such state.
  ///
  /// - Parameter lost: rows of which a reader had some already; those that are made again take their place.
  /// - Throws: `.notFound` when these cannot be made again as they were: he could miss some.
  private func sort(
    _ source: SelectionSource, _ selection: Selection, _ pass: SelectionPass, again lost: WaitingRows?
  ) throws(CatalogError) -> (place: WaitingRows, sorted: SortedRows)? {
    let connection = try connector.makeConnection()
    // One snapshot: a job that is published meanwhile moves the rows that it ends.
    try connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ WRITE")
    let found = try connection.stateSource(of: source)
    if lost != nil {
      guard found != nil, try connection.isLasting(source) else { throw CatalogError.selectionHasGone }
    }
    guard let found else { return nil }
    try connection.sortSelection(selection, pass, found)
    try connection.execute("COMMIT")
    let sorted = SortedRows(on: connection, count: try connection.countSortedRows())
    if let lost, lost.count != sorted.count { throw CatalogError.selectionHasGone }
    let place = try waiting.withLock { waiting throws(CatalogError) -> WaitingRows in
      guard !waiting.isClosed else { throw CatalogError(.closed, "it was closed meanwhile") }
      let place = lost ?? WaitingRows(number: waiting.nextNumber(), count: sorted.count)
      waiting.sorted[place] = sorted
      return place
    }
    return (place, sorted)
  }

  // MARK: Noted selections

  package func beginSelection() throws(CatalogError) -> SelectionNumber {
    waiting.withLock { waiting in
      let number = waiting.nextNumber()
      waiting.noted.insert(number)
      return number
    }
  }

  package func select(_ places: [SelectedPlace], in selection: SelectionNumber) throws(CatalogError) {
    try checkNoted(selection)
    try write("selecting") { connection throws(CatalogError) in try connection.note(places, in: selection) }
  }

  package func endSelection(_ selection: SelectionNumber) throws(CatalogError) {
    let wasNoted = waiting.withLock { $0.noted.remove(selection) != nil }
    guard wasNoted else { return }
    try write("ending a selection") { connection throws(CatalogError) -> Void in
      try connection.run("DELETE FROM selection_place WHERE selection = $1", [.integer(Int64(selection))])
    }
  }

  private func checkNoted(_ number: SelectionNumber) throws(CatalogError) {
    guard waiting.withLock({ $0.noted.contains(number) }) else {
      throw CatalogError(.notFound, "there is no selection \(number)")
        .located(activity: Self.readingSelection, path: place, isOnServer: true)
    }
  }
}
