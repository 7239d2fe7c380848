import VaultCatalog
import VaultConfiguration
import VaultModel
import VaultSystem

/// Opens the catalog that the configuration names.
enum CatalogOpening {
  /// Blocks its thread.
  static func open(_ configuration: DirectorConfiguration, _ clock: any VaultClock) throws -> any CatalogStore {
    switch configuration.catalog.driver {
    case .sqlite(let file):
      let directory = configuration.daemon.workingDirectory
      let path = file.bytes.first == 0x2f ? file : ByteString(directory.bytes + [0x2f] + file.bytes)
      return try SQLiteCatalog.open(path: path, mode: .createOrOpen, newRepository: .random())
    case .postgresql:
      throw QueueRefusal.noSuchResource("Catalog", "PostgreSQL")
    }
  }
}
