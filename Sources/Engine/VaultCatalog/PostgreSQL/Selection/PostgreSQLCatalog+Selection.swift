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
        guard let found = try connection.stateSource(of: source) else { return SelectionPage() }
        return try connection.directoryPage(found, SelectionPlan(paths: paths), after: cursor?.position, limit: limit)
      }
    } else {
      let key = MaterializedSelection.Key(source: source, selection: selection, pass: pass)
      page = try sortedPage(key, after: cursor?.row ?? 0, limit: limit)
    }
    try give(page.rows, visit)
    return page.cursor
  }

  private static let readingSelection = "reading a selection"

  private func sortedPage(
    _ key: MaterializedSelection.Key, after row: Int64, limit: Int
  ) throws(CatalogError) -> SelectionPage {
    if case .noted(let number) = key.selection { try checkNoted(number) }
    let source = try read(Self.readingSelection) { connection throws(CatalogError) in
      try connection.stateSource(of: key.source)
    }
    guard let source else { return SelectionPage() }
    var selection = try sorted(key, source)
    while true {
      let (page, last) = try read(Self.readingSelection) { connection throws(CatalogError) in
        try connection.selectionPage(selection, after: row, limit: limit)
      }
      // Another reader of the same rows may have come to their end meanwhile. Whoever drops a selection forgets it first, so that
      // no page of one that is forgotten says anything.
      if waiting.withLock({ $0.selections.contains { $0.number == selection.number } }) {
        if page.cursor == nil {
          try drop([selection])
          // A server that crashed has lost the rows: they are made again, and are the same unless something was dropped.
          if last < selection.rowCount {
            selection = try sortedAgain(selection, source)
            continue
          }
        }
        return page
      }
      selection = try sorted(key, source)
    }
  }

  /// The sorted rows of a selection, made when they do not wait already.
  private func sorted(
    _ key: MaterializedSelection.Key, _ source: StateSource
  ) throws(CatalogError) -> WaitingSelection {
    if let known = waiting.withLock({ $0.selections.first { $0.key == key } }) { return known }
    let (number, surplus) = waiting.withLock { waiting in
      (waiting.nextNumber(), waiting.selections.dropLast(ServerSelection.limit - 1))
    }
    try drop(Array(surplus))
    let rowCount = try write(Self.readingSelection) { connection throws(CatalogError) in
      // A job that was published since the source was found would have moved its rows.
      let present = try connection.stateSource(of: key.source) ?? source
      return try connection.fillSelection(number, key, present)
    }
    let selection = WaitingSelection(key: key, number: number, rowCount: rowCount)
    waiting.withLock { $0.selections.append(selection) }
    return selection
  }

  /// The rows of a selection that were lost.
  ///
  /// - Throws: `.notFound` when they are not as many as they were: whoever read some of them could miss others.
  private func sortedAgain(
    _ lost: WaitingSelection, _ source: StateSource
  ) throws(CatalogError) -> WaitingSelection {
    let selection = try sorted(lost.key, source)
    guard selection.rowCount == lost.rowCount else {
      throw CatalogError.selectionHasGone.located(activity: Self.readingSelection, path: place, isOnServer: true)
    }
    return selection
  }

  private func drop(_ selections: [WaitingSelection]) throws(CatalogError) {
    guard !selections.isEmpty else { return }
    let numbers = Set(selections.map(\.number))
    waiting.withLock { waiting in waiting.selections.removeAll { numbers.contains($0.number) } }
    try write("ending a selection") { connection throws(CatalogError) in
      for number in numbers { try connection.dropSelection(number) }
    }
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
    let (wasNoted, sorted) = waiting.withLock { waiting in
      (
        waiting.noted.remove(selection) != nil,
        waiting.selections.filter { $0.key.selection == .noted(selection) }
      )
    }
    guard wasNoted else { return }
    try drop(sorted)
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
