import VaultModel
import VaultProtocol
import VaultSession

/// The connections that a restore reads blocks from, one for each storage daemon.
struct StorageChannels: Sendable {
  /// The one for all volumes.
  private var only: Channel?
  private var byVolume: [UniqueIdentifier: Channel] = [:]
  private var all: [Channel] = []

  /// One connection for every volume.
  init(only: Channel) {
    self.only = only
    all = [only]
  }

  /// A connection for each storage daemon's volumes.
  init(_ shares: [(channel: Channel, volumes: [UniqueIdentifier])]) {
    for share in shares { add(share.channel, share.volumes) }
  }

  private mutating func add(_ channel: Channel, _ volumes: [UniqueIdentifier]) {
    all.append(channel)
    for volume in volumes { byVolume[volume] = channel }
  }

  /// Dials what an order names; when one cannot be had, none is.
  static func open(_ storages: RestoreOrder.Storages, _ daemon: FileDaemon) async throws -> StorageChannels {
    switch storages {
    case .one(let route): return StorageChannels(only: try await daemon.openStorage(route))
    case .several(let shares):
      var channels = StorageChannels([])
      do {
        for share in shares { channels.add(try await daemon.openStorage(share.route), share.volumes) }
      } catch {
        channels.close()
        throw error
      }
      return channels
    }
  }

  /// The connection to the storage daemon that has a volume; nil when none was named for it.
  func channel(of volume: UniqueIdentifier) -> Channel? { only ?? byVolume[volume] }

  func close() { for channel in all { channel.close() } }
}
