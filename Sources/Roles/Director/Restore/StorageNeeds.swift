import VaultCatalog
import VaultModel

/// Finds which storage daemons have what a restore reads, before any of them is dialled. Blocks its thread.
struct StorageNeeds {
  private static let rowsPerPage = 2048

  private let catalog: any CatalogStore
  private let storageOfVolume: [UniqueIdentifier: Int]
  private let storageCount: Int
  private var needed: Set<Int> = []
  private var locations: LocationCursor
  private var extended: ExtendedCursor

  /// - Parameter storages: the volumes of each storage daemon.
  init(catalog: any CatalogStore, storages: [[UniqueIdentifier]]) {
    self.catalog = catalog
    storageCount = storages.count
    var storageOfVolume: [UniqueIdentifier: Int] = [:]
    for (index, volumes) in storages.enumerated() { for volume in volumes { storageOfVolume[volume] = index } }
    self.storageOfVolume = storageOfVolume
    locations = LocationCursor(catalog: catalog)
    extended = ExtendedCursor(catalog: catalog)
  }

  /// Goes through the selection until it is known, or all are needed.
  ///
  /// - Parameter isContentOnly: whether attributes are of no interest.
  /// - Returns: the indexes of those needed.
  mutating func find(
    in source: SelectionSource, _ selection: Selection, isContentOnly: Bool, isCancelled: () -> Bool
  ) throws -> Set<Int> {
    for pass in isContentOnly ? [SelectionPass.contents] : [.contents, .directories] {
      var cursor: SelectionCursor?
      // What cannot be removed of it goes with the catalog.
      defer { if let cursor { try? catalog.endReading(cursor) } }
      repeat {
        if isCancelled() { throw DirectorError.interrupted }
        var rows: [StateRow] = []
        cursor = try catalog.readSelection(
          of: source, selection, pass: pass, after: cursor, limit: Self.rowsPerPage
        ) { rows.append($0) }
        try note(rows, isContentOnly)
        if needed.count == storageCount { return needed }
      } while cursor != nil
    }
    return needed
  }

  private mutating func note(_ rows: [StateRow], _ isContentOnly: Bool) throws {
    for row in rows {
      if case .stored(let content, let sealed) = row.entry.content {
        note(try locations.locations(of: content, size: sealed.size))
      }
      if !isContentOnly, let reference = row.entry.extended { extended.want(reference.carrier) }
    }
    for run in try extended.take() { note(run.locations) }
  }

  private mutating func note(_ groups: [GroupLocation]) {
    for group in groups { if let storage = storageOfVolume[group.volume] { needed.insert(storage) } }
  }
}
