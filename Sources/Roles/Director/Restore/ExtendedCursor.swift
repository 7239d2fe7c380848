import VaultCatalog
import VaultModel

/// Finds the groups that hold the extended attributes of a batch of rows.
struct ExtendedCursor {
  /// Entries share lists: those of the last batches are asked for again and again.
  private static let knownLimit = 4096

  private let catalog: any CatalogStore
  private var wanted: Set<ContentIdentifier> = []
  private var known: [ContentIdentifier: [GroupLocation]] = [:]

  init(catalog: any CatalogStore) { self.catalog = catalog }

  mutating func want(_ carrier: ContentIdentifier) { wanted.insert(carrier) }

  /// The groups of everything wanted since the last time, each once, in order, by session.
  mutating func take() throws -> [(session: UniqueIdentifier, locations: [GroupLocation])] {
    var runs: [(session: UniqueIdentifier, locations: [GroupLocation])] = []
    for carrier in wanted.sorted() {
      if runs.last?.session != carrier.session { runs.append((carrier.session, [])) }
      for location in try locations(of: carrier) {
        if let last = runs[runs.count - 1].locations.last, last.group >= location.group { continue }
        runs[runs.count - 1].locations.append(location)
      }
    }
    wanted = []
    return runs
  }

  private mutating func locations(of carrier: ContentIdentifier) throws -> [GroupLocation] {
    if let found = known[carrier] { return found }
    let found = try catalog.extendedLocations(of: carrier)
    if known.count >= Self.knownLimit { known = [:] }
    known[carrier] = found
    return found
  }
}
