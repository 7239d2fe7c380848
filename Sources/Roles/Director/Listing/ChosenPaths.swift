import VaultCatalog
import VaultModel
import VaultProtocol

/// The paths and patterns that a console named, as what they select in a job.
struct ChosenPaths: Sendable {
  /// The job that they were looked for in.
  private let job: JobNumber
  private let source: SelectionSource
  /// What was named, a path that is in the job as itself. Empty for everything.
  let patterns: [PathPattern]
  /// Asked from time to time: whether nobody waits for the answer any more.
  private let isStopped: @Sendable () -> Bool

  /// Finds out what each argument means, and refuses what selects nothing. Blocks on the catalog.
  ///
  /// - Parameter arguments: for each a path and a pattern or nothing. The path counts if it is in the job.
  init(
    _ arguments: [ByteString], in selection: TreeSelection, _ catalog: any CatalogStore,
    isStopped: @escaping @Sendable () -> Bool
  ) throws {
    guard arguments.count.isMultiple(of: 2) else { throw ControlError(.malformedField("paths"), line: "paths") }
    job = selection.job.description.number
    source = selection.source
    self.isStopped = isStopped
    var patterns: [PathPattern] = []
    for index in stride(from: 0, to: arguments.count, by: 2) {
      let path = PathPattern(path: arguments[index])
      let text = arguments[index + 1]
      if path.components.isEmpty {
        patterns.append(path)
      } else if try Self.selectsSomething(path, source, catalog, isStopped) {
        patterns.append(path)
      } else if !text.isEmpty {
        let pattern = PathPattern(pattern: text)
        guard try Self.selectsSomething(pattern, source, catalog, isStopped) else {
          throw DirectorError.nothingMatches(path.text.displayText, job)
        }
        patterns.append(pattern)
      } else {
        throw DirectorError.notInJob(path.text.displayText, job)
      }
    }
    self.patterns = patterns
  }

  private static func selectsSomething(
    _ pattern: PathPattern, _ source: SelectionSource, _ catalog: any CatalogStore,
    _ isStopped: @Sendable () -> Bool
  ) throws -> Bool {
    var walk = ListingWalk(catalog: catalog, source: source, patterns: [pattern])
    while let rows = try walk.nextPage(limit: 256) {
      if !rows.isEmpty { return true }
      if isStopped() { throw DirectorError.interrupted }
    }
    return false
  }

  // MARK: For a restore

  /// What a restore reads; `endSelection` gives it back.
  func selection(_ catalog: any CatalogStore) throws -> Selection {
    let paths = patterns.compactMap(\.path)
    if paths.count == patterns.count { return .paths(paths) }
    let number = try catalog.beginSelection()
    do {
      try note(in: number, catalog)
    } catch {
      // The first error is the one to tell; what was noted ends with the catalog at the latest.
      try? catalog.endSelection(number)
      throw error
    }
    return .noted(number)
  }

  private func note(in number: SelectionNumber, _ catalog: any CatalogStore) throws {
    var walk = SelectionWalk(catalog: catalog, source: source, patterns: patterns)
    var last: DirectoryKey?
    while let pieces = try walk.next(limit: 2048) {
      if isStopped() { throw DirectorError.interrupted }
      var places: [SelectedPlace] = []
      for piece in pieces {
        switch piece {
        case .entry(let row):
          if last != row.directory { places += Self.way(to: row.directory) }
          last = row.directory
          places.append(.entry(CanonicalPosition(directory: row.directory, name: row.entry.name)))
        case .below(let key):
          if let above = key.parentAndName { places += Self.way(to: above.parent) }
          places.append(.below(key))
        }
      }
      if !places.isEmpty { try catalog.select(places, in: number) }
    }
  }

  /// A directory and those above it.
  private static func way(to directory: DirectoryKey) -> [SelectedPlace] {
    var places: [SelectedPlace] = []
    var key = directory
    while let (parent, name) = key.parentAndName {
      places.append(.onTheWay(CanonicalPosition(directory: parent, name: name)))
      key = parent
    }
    return places
  }

  /// The one regular file that is selected.
  ///
  /// - Throws: `DirectorError.notOneFile` for anything else.
  func onlyFile(_ catalog: any CatalogStore) throws -> ByteString {
    var walk = ListingWalk(catalog: catalog, source: source, patterns: patterns)
    var found: [StateRow] = []
    while found.count < 2, !patterns.isEmpty, let rows = try walk.nextPage(limit: 256) {
      if isStopped() { throw DirectorError.interrupted }
      found += rows
    }
    guard found.count == 1, let row = found.first, row.entry.attributes.type == .regular else {
      throw DirectorError.notOneFile
    }
    return row.directory.appending(row.entry.name).path
  }
}
