import VaultConfiguration
import VaultCrypto
import VaultDevice
import VaultMessages
import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

/// The storage daemon as a process: its configuration, its port, its log.
package enum StorageDaemonService {
  /// Serves until the task is cancelled.
  ///
  /// - Parameters:
  ///   - echoes: whether messages go to standard error, too.
  ///   - isReady: is told once everything that may fail at start did not.
  /// - Throws: what the port, the keys and the log fail with at start.
  package static func run(
    _ configuration: StorageDaemonConfiguration, clock: any VaultClock = SystemClock(), echoes: Bool = false,
    isReady: @Sendable () -> Void
  ) async throws {
    let own = configuration.daemon
    let log = try MessageLog(
      of: own.name, resource: configuration.messages.first { $0.name == own.messages }, clock: clock,
      echoes: echoes)
    defer { log.close() }
    let secrets = SecretStore(workingDirectory: own.workingDirectory) { log.tell(.warning, $0) }
    let directors = try PeerBook(configuration.directors, own: own.tls, secrets: secrets)
    for warning in directors.warnings { log.tell(.security, warning) }
    let devices = DeviceTable(
      places: configuration.devices.map { device in
        DeviceTable.Place(
          name: device.name, mediaType: device.mediaType, archive: device.archiveDevice,
          concurrentJobLimit: device.concurrentJobLimit)
      }, clock: clock)
    let network = try Network(certificates: own.tls.certificates, heartbeatSeconds: own.heartbeatSeconds)
    defer { network.close() }
    let daemon = StorageDaemon(
      name: own.name, devices: devices, clock: clock, jobLimit: own.concurrentJobLimit, log: log,
      peerTimeoutSeconds: own.peerTimeoutSeconds, poller: network.poller, onJobEnd: { Heap.giveBack() }
    ) { peer in
      // A client comes with the key of a job, which stands for any word about it here.
      peer.role == .director
        ? directors.terms(of: peer.name)
        : PeerTerms(
          leavesTLS: own.tls.leavesAfterAuthentication, isForced: own.tls.leavesAnywhere, takesCertificate: false)
    }
    let jobs = daemon.jobs
    let listener = try await network.listen(
      on: own.places, limits: own.listenerLimits, role: .storageDaemon,
      onRefusal: { log.tell(.security, "\($0.peer) was turned away: \($0.reason)") },
      lookUp: { identity, tell in
        guard identity.listener == .storageDaemon, identity.listenerName == own.name else { return tell(nil) }
        switch (identity.purpose, identity.dialler) {
        case (.control, .director): directors.findKey(of: identity.diallerName, for: identity, tell: tell)
        case (.job(let job), .fileDaemon):
          tell(
            jobs.key(of: job, for: identity.diallerName).flatMap { secret in
              try? PresharedKey.derive(secret: secret, identity: Array(identity.text.utf8))
            })
        default: tell(nil)
        }
      })
    log.tell(.info, "Storage daemon \(own.name) listens on \(listener.addresses.map(\.text).joined(separator: ", ")).")
    isReady()
    let sweeper = Task {
      while !Task.isCancelled {
        await network.pause(nanoseconds: max(1, own.peerTimeoutSeconds / 4) * 1_000_000_000)
        try? await onThread(name: "vault-sweep") { daemon.abortLost() }
      }
    }
    await daemon.run(listener)
    sweeper.cancel()
    log.tell(.info, "Storage daemon \(own.name) ends.")
    try await onThread(name: "vault-device") { try devices.close() }
  }
}
