import Synchronization
import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

/// Asks a daemon again and again whether it is there while a job runs on it, on a connection of its own.
///
/// The daemon learns by that, too, that the director is there.
final class PeerWatch: Sendable {
  private let task: Task<Void, Never>

  /// Begins to watch.
  ///
  /// - Parameters:
  ///   - timeoutSeconds: after how long a silent daemon counts as lost.
  ///   - onLoss: is told once that it is lost, unless `stop` came before.
  init(
    network: Network, timeoutSeconds: UInt64, code: StatusCode, dial: @escaping @Sendable () async throws -> Channel,
    onLoss: @escaping @Sendable (any Error) -> Void
  ) {
    let interval = Self.intervalSeconds(timeoutSeconds: timeoutSeconds)
    task = Task {
      do {
        let channel = try await dial()
        defer { channel.close() }
        channel.limitSilence(seconds: timeoutSeconds, poller: network.poller)
        var sign = ControlLine("noop")
        sign.set("interval", interval)
        while !Task.isCancelled {
          try await channel.request(sign, expecting: code)
          await network.pause(nanoseconds: interval * 1_000_000_000)
        }
      } catch {
        if !Task.isCancelled { onLoss(error) }
      }
    }
  }

  /// How often a sign of life is given where silence of so many seconds is a loss.
  static func intervalSeconds(timeoutSeconds: UInt64) -> UInt64 { max(1, min(10, timeoutSeconds / 4)) }

  func stop() { task.cancel() }
}
