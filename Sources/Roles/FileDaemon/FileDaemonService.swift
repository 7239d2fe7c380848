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
    let secrets = SecretStore(workingDirectory: own.workingDirectory) { log.tell(.warning, $0) }
    let directors = try PeerBook(configuration.directors.filter(\.mayDial).map(\.peer), own: own.tls, secrets: secrets)
    let dialled = try PeerBook(configuration.directors.filter(\.isDialled).map(\.peer), own: own.tls, secrets: secrets)
    for warning in Set(directors.warnings + dialled.warnings).sorted() { log.tell(.security, warning) }
    if own.tls.leavesAfterAuthentication {
      log.tell(.security, Hello.warning(leavingTLSWith: "storage daemons"))
    }
    let network = try Network(certificates: own.tls.certificates, heartbeatSeconds: own.heartbeatSeconds)
    defer { network.close() }
    let daemon = FileDaemon(
      name: own.name, clock: clock, workerCount: max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))),
      excludedDirectories: [], allowedDirectories: configuration.allowedDirectories,
      jobLimit: own.concurrentJobLimit, log: log, peerTimeoutSeconds: own.peerTimeoutSeconds, poller: network.poller,
      onJobEnd: { Heap.giveBack() }, terms: { directors.terms(of: $0.name) }
    ) { route in
      guard let route else { throw FileDaemonError(reason: "the director did not say where the storage daemon is") }
      return try await network.dial(
        host: route.host, port: route.port,
        identity: PeerIdentity(
          purpose: .job(route.job), dialler: .fileDaemon, own.name, listener: .storageDaemon, route.storage),
        secret: route.key, leavesTLS: own.tls.leavesAfterAuthentication,
        isForced: own.tls.leavesAnywhere)
    }
    let listener = try await network.listen(
      on: own.places, limits: own.listenerLimits, role: .fileDaemon,
      onRefusal: { log.tell(.security, "\($0.peer) was turned away: \($0.reason)") },
      lookUp: { identity, tell in
        guard identity.purpose == .control, identity.dialler == .director, identity.listener == .fileDaemon,
          identity.listenerName == own.name
        else { return tell(nil) }
        directors.findKey(of: identity.diallerName, for: identity, tell: tell)
      })
    log.tell(.info, "File daemon \(own.name) listens on \(listener.addresses.map(\.text).joined(separator: ", ")).")
    isReady()
    let sweeper = Task {
      while !Task.isCancelled {
        await network.pause(nanoseconds: max(1, own.peerTimeoutSeconds / 4) * 1_000_000_000)
        daemon.endLost()
      }
    }
    let callers = Self.callers(configuration, daemon, network, dialled, log)
    await daemon.run(listener)
    for caller in callers { caller.cancel() }
    for caller in callers { await caller.value }
    sweeper.cancel()
    log.tell(.info, "File daemon \(own.name) ends.")
  }

  /// Begins to call the directors that this client dials.
  private static func callers(
    _ configuration: FileDaemonConfiguration, _ daemon: FileDaemon, _ network: Network, _ directors: PeerBook,
    _ log: MessageLog
  ) -> [Task<Void, Never>] {
    configuration.directors.filter(\.isDialled).map { director in
      let heartbeatSeconds = director.peer.heartbeatSeconds ?? configuration.daemon.heartbeatSeconds
      let caller = DirectorCaller(
        daemon: daemon, name: configuration.daemon.name, director: director, directors: directors, network: network,
        log: log, renewalSeconds: 2 * max(heartbeatSeconds, 60))
      return Task { await caller.run() }
    }
  }
}
