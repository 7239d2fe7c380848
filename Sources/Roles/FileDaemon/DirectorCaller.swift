import VaultConfiguration
import VaultMessages
import VaultSession
import VaultSystem

/// Keeps a connection to a director waiting, for jobs that it has for this client, when it cannot dial the client or need not.
struct DirectorCaller: Sendable {
  /// The longest pause between two attempts.
  private static let longestPauseSeconds: UInt64 = 60

  let daemon: FileDaemon
  let name: String
  let director: FileDaemonConfiguration.Director
  let directors: PeerBook
  let network: Network
  let log: MessageLog
  /// For how long one connection waits: neither side may notice by itself that the other is gone.
  let renewalSeconds: UInt64

  /// Calls until the task is cancelled; another connection is opened as soon as the director uses the one that waits, or when
  /// that has waited long enough.
  func run() async {
    await withDiscardingTaskGroup { group in
      var failureCount = 0
      var waiting: Channel?
      while !Task.isCancelled {
        if let fresh = await dial(failureCount) {
          failureCount = 0
          // Only now, so that there is always one.
          waiting?.close()
          waiting = fresh
        } else {
          failureCount += 1
        }
        if let channel = waiting {
          let limit = failureCount == 0 ? renewalSeconds * 1_000_000_000 : Self.pause(afterFailures: failureCount)
          guard await isUsed(channel, nanoseconds: limit) else { continue }
          waiting = nil
          group.addTask { await serve(channel) }
          // A director that ends connections at once is not dialled without a breath.
          await network.pause(nanoseconds: 250_000_000)
        } else {
          await network.pause(nanoseconds: Self.pause(afterFailures: failureCount))
        }
      }
      waiting?.close()
      group.cancelAll()
    }
  }

  /// Seconds that double, and as random as long, so that clients do not all come back at once.
  private static func pause(afterFailures count: Int) -> UInt64 {
    let longest = min(longestPauseSeconds, 1 << UInt64(min(count, 6))) * 1_000_000_000
    return UInt64.random(in: longest / 2...longest)
  }

  /// - Returns: nil when there is no connection to be had, which is told once.
  private func dial(_ failureCount: Int) async -> Channel? {
    guard let address = director.address else { return nil }
    do {
      let channel = try await directors.dial(
        network, host: address.text, port: director.port,
        identity: PeerIdentity(dialler: .fileDaemon, name, listener: .director, director.peer.name))
      if failureCount > 0 { log.tell(.info, "Director \(director.peer.name) is reached again.") }
      return channel
    } catch {
      if failureCount == 0, !Task.isCancelled {
        log.tell(.warning, "Director \(director.peer.name) is not reached, and tried on: \(error)")
      }
      return nil
    }
  }

  /// Waits until the director says something or ends the connection; false when it did neither for so long.
  private func isUsed(_ channel: Channel, nanoseconds: UInt64) async -> Bool {
    let used = Promise<Bool>()
    channel.whenBytesArrive { used.fulfil(.success(true)) }
    let timer = network.poller.after(nanoseconds: nanoseconds) { used.fulfil(.success(false)) }
    defer { network.poller.cancel(timer) }
    return await withTaskCancellationHandler {
      (try? await used.value()) ?? false
    } onCancel: {
      used.fulfil(.success(false))
    }
  }

  private func serve(_ channel: Channel) async {
    await withTaskCancellationHandler {
      await daemon.serve(channel, dialled: director.peer.name)
    } onCancel: {
      channel.close()
    }
  }
}
