import VaultModel
import VaultProtocol
import VaultSession

/// A storage daemon that a restore may read from.
struct ReadingStorage: Sendable {
  /// The volumes that it has.
  var volumes: [UniqueIdentifier] = []
  /// Connects to it.
  var dial: @Sendable () async throws -> Channel
  /// The way by which the file daemon reaches it for a restore.
  var route: @Sendable (UniqueIdentifier) throws -> StorageRoute
  /// Makes a request for each of its devices, over a connection that `dial` gave.
  var request: @Sendable (Channel, ControlLine) async throws -> Void
}
