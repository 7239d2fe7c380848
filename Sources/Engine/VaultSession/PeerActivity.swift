import Synchronization
import VaultModel
import VaultSystem

/// When each peer was last heard, and how often it means to be: a peer that is silent for much longer counts as lost.
///
/// Directors say `noop interval=<seconds>` while their jobs run; whoever never said so is never missed.
package final class PeerActivity: Sendable {
  private struct Peer {
    var heard: UInt64
    var intervalSeconds: UInt64
  }

  /// Intervals that a peer may miss.
  private static let missedLimit: UInt64 = 3
  private static let longestIntervalSeconds: UInt64 = 86_400

  private let timeoutSeconds: UInt64
  private let clock: any VaultClock
  private let peers = Mutex<[String: Peer]>([:])

  /// - Parameter timeoutSeconds: how long any peer may be silent at least.
  package init(timeoutSeconds: UInt64, clock: any VaultClock) {
    self.timeoutSeconds = timeoutSeconds
    self.clock = clock
  }

  /// A peer was heard.
  ///
  /// - Parameter intervalSeconds: how often it means to be, when it says so.
  package func heard(_ peer: String, intervalSeconds: UInt64? = nil) {
    let now = clock.monotonicNanoseconds()
    peers.withLock { peers in
      guard let interval = intervalSeconds ?? peers[peer]?.intervalSeconds else { return }
      peers[peer] = Peer(heard: now, intervalSeconds: min(interval, Self.longestIntervalSeconds))
    }
  }

  /// A peer needs to be heard no more, until it says again how often it means to be.
  package func forget(_ peer: String) { peers.withLock { $0[peer] = nil } }

  /// Whether a peer has been silent for too long.
  package func isLost(_ peer: String) -> Bool {
    let now = clock.monotonicNanoseconds()
    return peers.withLock { peers in
      guard let known = peers[peer], now > known.heard else { return false }
      return (now - known.heard) / 1_000_000_000 >= max(timeoutSeconds, Self.missedLimit * known.intervalSeconds)
    }
  }
}
