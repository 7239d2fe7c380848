import VaultConfiguration

/// One device of one storage daemon, and one pool's volumes on it.
struct StoragePlace: Hashable, Sendable {
  var storage: DirectorConfiguration.Storage
  var device: String
  /// The pool's name; empty for volumes whose pool is configured no more.
  var pool: String
  var volumePrefix: String
  var volumeSize: UInt64

  /// How the catalog names it.
  var text: String { "\(storage.peer.name)/\(device)/\(volumePrefix)" }
}

extension DirectorConfiguration {
  /// Where a pool's volumes go on a storage.
  func place(of pool: Pool, on storage: Storage) -> StoragePlace {
    StoragePlace(
      storage: storage, device: storage.device, pool: pool.name, volumePrefix: pool.labelFormat,
      volumeSize: pool.maximumVolumeBytes)
  }

  /// The place that the catalog names; nil when its storage is configured no more.
  func place(named text: String) -> StoragePlace? {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 3, let storage = storages.first(where: { $0.peer.name == parts[0] }) else { return nil }
    let prefix = String(parts[2])
    let pool = pools.first { $0.labelFormat == prefix }
    return StoragePlace(
      storage: storage, device: String(parts[1]), pool: pool?.name ?? "", volumePrefix: prefix,
      volumeSize: pool?.maximumVolumeBytes ?? RepositoryConfiguration.defaultVolumeSize)
  }
}
