import Glibc
import VaultConfiguration
import VaultCrypto
import VaultMessages
import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

/// The file daemon as a process: its configuration, its port, its log.
package enum FileDaemonService {
  /// Serves until the task is cancelled.
  ///
  /// - Parameters:
  ///   - echoes: whether messages go to standard error, too.
  ///   - isReady: is told once everything that may fail at start did not.
  /// - Throws: what the port, the keys and the log fail with at start.
  package static func run(
    _ configuration: FileDaemonConfiguration, clock: any VaultClock = SystemClock(), echoes: Bool = false,
    isReady: @Sendable () -> Void
  ) async throws {
    let own = configuration.daemon
    let log = try MessageLog(
      of: own.name, resource: configuration.messages.first { $0.name == own.messages }, clock: clock,
      echoes: echoes)
    defer { log.close() }
    let secrets = try PeerSecrets(configuration.directors.filter(\.mayDial).map(\.peer))
    let network = try Network()
    defer { network.close() }
    let daemon = FileDaemon(
      name: own.name, clock: clock, workerCount: max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))),
      excludedDirectories: [], allowedDirectories: configuration.allowedDirectories,
      jobLimit: own.concurrentJobLimit, log: log, peerTimeoutSeconds: own.peerTimeoutSeconds, poller: network.poller
    ) { route in
      guard let route else { throw FileDaemonError(reason: "the director did not say where the storage daemon is") }
      return try await network.dial(
        host: route.host, port: route.port,
        identity: PeerIdentity(
          purpose: .job(route.job), dialler: .fileDaemon, own.name, listener: .storageDaemon, route.storage),
        secret: route.key)
    }
    let listener = try await network.listen(
      on: own.places, limits: own.listenerLimits, role: .fileDaemon,
      onRefusal: { log.tell(.security, "\($0.peer) was turned away: \($0.reason)") },
      key: { identity in
        guard identity.purpose == .control, identity.dialler == .director, identity.listener == .fileDaemon,
          identity.listenerName == own.name
        else { return nil }
        return secrets.key(of: identity.diallerName, for: identity)
      })
    log.tell(.info, "File daemon \(own.name) listens on \(listener.addresses.map(\.text).joined(separator: ", ")).")
    isReady()
    let sweeper = Task {
      while !Task.isCancelled {
        await network.pause(nanoseconds: max(1, own.peerTimeoutSeconds / 4) * 1_000_000_000)
        daemon.endLost()
      }
    }
    await daemon.run(listener)
    sweeper.cancel()
    log.tell(.info, "File daemon \(own.name) ends.")
  }
}
