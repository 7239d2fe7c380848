import VaultCatalog
import VaultConfiguration
import VaultModel

// What a restore of the queue reads from.
extension Connecting {
  /// The storage daemons that have volumes, with the places where these lie.
  ///
  /// One that is configured no more can be asked for nothing, which matters only to a restore that needs it.
  func readingStorages(_ volumes: [Volume]) -> [ReadingStorage] {
    let used = volumes.filter { $0.status != .purged && $0.place != nil }
    let byStorage = Dictionary(grouping: used) { Self.storageName($0) }
    return byStorage.sorted { $0.key < $1.key }.map { name, volumes in
      let places = Set(volumes.compactMap(\.place)).sorted().compactMap { service.configuration.place(named: $0) }
      var storage = places.first.map { reading($0.storage, at: places) } ?? Self.missing(name)
      storage.volumes = volumes.map(\.identifier)
      return storage
    }
  }

  private static func storageName(_ volume: Volume) -> String {
    (volume.place ?? "").split(separator: "/", maxSplits: 1).first.map(String.init) ?? ""
  }

  private func reading(_ storage: DirectorConfiguration.Storage, at places: [StoragePlace]) -> ReadingStorage {
    ReadingStorage(
      dial: {
        guard let first = places.first else { throw QueueRefusal.noSuchResource("Storage", storage.peer.name) }
        return try await self.place(first)
      },
      route: { restore in try self.route(to: storage, for: restore) },
      request: { channel, line in
        for place in places {
          try await self.service.dialler.choose(place, on: channel)
          try await channel.request(line, expecting: .storageOK)
        }
      })
  }

  private static func missing(_ name: String) -> ReadingStorage {
    let refusal = QueueRefusal.noSuchResource("Storage", name)
    return ReadingStorage(
      dial: { throw refusal }, route: { _ in throw refusal }, request: { _, _ in throw refusal })
  }
}
