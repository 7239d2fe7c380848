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
      if let rows = page.cursor?.waiting, rows != cursor?.waiting { abandon(rows) }
      throw error
    }
    return page.cursor
  }

  /// Does not wait for the server, as a restore may be cancelled because that is away: the rows go with the next that are sorted.
  package func endReading(_ cursor: SelectionCursor) throws(CatalogError) {
    if let rows = cursor.waiting { abandon(rows) }
  }

  private func abandon(_ rows: WaitingRows) { waiting.withLock { _ = $0.abandoned.insert(rows) } }

  private static let readingSelection = "reading a selection"

  private func sortedPage(
    of source: SelectionSource, _ selection: Selection, _ pass: SelectionPass, after cursor: SelectionCursor?,
    limit: Int
  ) throws(CatalogError) -> SelectionPage {
    if case .noted(let number) = selection { try checkNoted(number) }
    let row = cursor?.row ?? 0
    var rows = cursor?.waiting
    if rows == nil { rows = try sorted(source, selection, pass, again: nil) }
    while true {
      guard let waiting = rows else { return SelectionPage() }
      let page: SelectionPage?
      do throws(CatalogError) {
        page = try read(Self.readingSelection) { connection throws(CatalogError) in
          try connection.selectionPage(waiting, after: row, limit: limit)
        }
      } catch {
        // The caller gives up what he knows of.
        if waiting != cursor?.waiting { abandon(waiting) }
        throw error
      }
      if let page {
        if page.cursor == nil { try drop(waiting) }
        return page
      }
      // A server that crashed has lost them.
      rows = try sorted(source, selection, pass, again: row > 0 ? waiting : nil)
    }
  }

  /// Sorts the rows of a selection; nil when there is no such state.
  ///
  /// - Parameter lost: rows of which a reader had some already.
  /// - Throws: `.notFound` when these cannot be made again as they were: he could miss some.
  private func sorted(
    _ source: SelectionSource, _ selection: Selection, _ pass: SelectionPass, again lost: WaitingRows?
  ) throws(CatalogError) -> WaitingRows? {
    let (number, abandoned) = waiting.withLock { waiting in
      defer { waiting.abandoned = [] }
      return (waiting.nextNumber(), waiting.abandoned)
    }
    do throws(CatalogError) {
      // One snapshot: a job that is published meanwhile moves the rows that it ends.
      return try write(Self.readingSelection, as: .onSnapshot) { connection throws(CatalogError) in
        for rows in abandoned { try connection.drop(rows) }
        guard let found = try connection.stateSource(of: source) else {
          guard lost == nil else { throw CatalogError.selectionHasGone }
          return nil
        }
        let rows = WaitingRows(number: number, count: try connection.fillSelection(number, selection, pass, found))
        if let lost {
          guard lost.count == rows.count, try connection.isLasting(source) else { throw CatalogError.selectionHasGone }
        }
        return rows
      }
    } catch {
      for rows in abandoned { abandon(rows) }
      throw error
    }
  }

  private func drop(_ rows: WaitingRows) throws(CatalogError) {
    try write("ending a selection") { connection throws(CatalogError) in try connection.drop(rows) }
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
