import Synchronization
import VaultCatalog
import VaultConfiguration
import VaultMessages
import VaultModel
import VaultProtocol
import VaultScheduler
import VaultSession
import VaultSystem

/// The director as a process: its configuration, its catalog, its port, its log, its jobs.
package enum DirectorService {
  /// Serves until the task is cancelled.
  ///
  /// - Parameters:
  ///   - echoes: whether messages go to standard error, too.
  ///   - zone: the clock on the wall, for what consoles ask by it.
  ///   - isReady: is told once everything that may fail at start did not.
  /// - Throws: what the catalog, the port, the keys and the log fail with at start.
  package static func run(
    _ configuration: DirectorConfiguration, clock: any VaultClock = SystemClock(), zone: LocalTimeZone,
    echoes: Bool = false, isReady: @Sendable () -> Void
  ) async throws {
    let catalog = try await onThread(name: "vault-catalog") { try CatalogOpening.open(configuration) }
    do {
      try await serve(configuration, catalog, clock, zone, echoes, isReady)
    } catch {
      try? await onThread(name: "vault-catalog") { try catalog.close() }
      throw error
    }
    try await onThread(name: "vault-catalog") { try catalog.close() }
  }

  private static func serve(
    _ configuration: DirectorConfiguration, _ catalog: any CatalogStore, _ clock: any VaultClock, _ zone: LocalTimeZone,
    _ echoes: Bool, _ isReady: @Sendable () -> Void
  ) async throws {
    let own = configuration.daemon
    let log = try MessageLog(
      of: own.name, resource: configuration.messages.first { $0.name == own.messages }, clock: clock, echoes: echoes
    ) { messages in
      for message in messages {
        try catalog.appendLog(
          [LogLine(time: message.time, messageClass: message.messageClass.rawValue, text: message.text)],
          of: message.job ?? 0)
      }
    }
    defer { log.close() }
    let secrets = SecretStore(workingDirectory: own.workingDirectory) { log.tell(.warning, $0) }
    let unnamed = PeerParameters(name: Hello.unnamedConsole, password: configuration.password, tls: own.tls)
    // Without a password there is no console without a name.
    let consoles = try PeerBook(
      configuration.consoles + (configuration.password == nil ? [] : [unnamed]), own: own.tls, secrets: secrets)
    for warning in consoles.warnings { log.tell(.security, warning) }
    let network = try Network(certificates: own.tls.certificates, heartbeatSeconds: own.heartbeatSeconds)
    defer { network.close() }
    let parts = DirectorParts(
      configuration: configuration, catalog: catalog, clock: clock, zone: zone, log: log, network: network,
      queue: JobQueue(limit: own.concurrentJobLimit),
      dialler: try DaemonDialler(
        configuration: configuration, network: network, secrets: secrets, catalog: catalog, clock: clock,
        log: log))
    let stamp = AliveStamp(in: own.workingDirectory)
    let absence = try await onThread(name: "vault-alive") { stamp.absence(until: clock.now()) }
    let listener = try await network.listen(
      on: own.places, limits: own.listenerLimits, role: .director,
      onRefusal: { log.tell(.security, "\($0.peer) was turned away: \($0.reason)") },
      lookUp: { identity, tell in
        guard identity.purpose == .control, identity.listener == .director, identity.listenerName == own.name else {
          return tell(nil)
        }
        switch identity.dialler {
        case .console: consoles.findKey(of: identity.diallerName, for: identity, tell: tell)
        case .fileDaemon: parts.dialler.findKey(ofClient: identity.diallerName, for: identity, tell: tell)
        case .director, .storageDaemon: tell(nil)
        }
      })
    log.tell(.info, "Director \(own.name) listens on \(listener.addresses.map(\.text).joined(separator: ", ")).")
    try await JobRestart(parts: parts, absence: absence).run()
    let signs = Task { await giveSigns(stamp, parts) }
    isReady()
    await withTaskGroup { group in
      group.addTask { await runJobs(parts) }
      group.addTask { await serveCallers(parts, consoles, listener) }
      await group.next()
      // The listener is closed: the process is to end.
      parts.end()
      parts.dialler.waiting.close()
      await parts.queue.close()
      for job in await parts.queue.all() { job.cancel.set() }
      await group.waitForAll()
    }
    signs.cancel()
    await signs.value
    log.tell(.info, "Director \(own.name) ends.")
  }

  /// Says again and again, and when it is told to end, that the director is there.
  private static func giveSigns(_ stamp: AliveStamp, _ parts: DirectorParts) async {
    let seconds = AliveStamp.intervalSeconds(windowSeconds: parts.configuration.reconnectWindowSeconds)
    var isWritten = true
    while true {
      let failure = await giveSign(stamp, parts)
      // Once: the next hours bring nothing new.
      if let failure, isWritten {
        parts.log.tell(.warning, "After its next start the director cannot know for how long it was away: \(failure)")
      }
      isWritten = failure == nil
      if Task.isCancelled { return }
      await parts.network.pause(nanoseconds: seconds * 1_000_000_000)
    }
  }

  /// - Returns: why it cannot be given.
  @inline(never)
  private static func giveSign(_ stamp: AliveStamp, _ parts: DirectorParts) async -> (any Error)? {
    do {
      try await onThread(name: "vault-alive") { try stamp.write(parts.clock.now()) }
      return nil
    } catch {
      return error
    }
  }

  /// Runs jobs whose turn it is until the queue is closed and all have ended.
  private static func runJobs(_ parts: DirectorParts) async {
    // Tasks of their own: the end of the process lets jobs end in order.
    await withDiscardingTaskGroup { group in
      for await job in parts.queue.turns {
        group.addTask { await Task { await JobRunner(service: parts, job: job).run() }.value }
      }
    }
    await parts.queue.abandonWatchers()
  }

  private static func serveCallers(_ parts: DirectorParts, _ consoles: PeerBook, _ listener: any Listener) async {
    let hello = Hello(role: .director, name: parts.name)
    await withDiscardingTaskGroup { group in
      while let transport = await listener.accept() {
        group.addTask {
          let channel = Channel(transport)
          do {
            let peer = try await hello.answer(channel, allowing: [.console, .fileDaemon]) { peer in
              peer.role == .console ? consoles.terms(of: peer.name) : parts.dialler.terms(ofClient: peer.name)
            }
            // A client's connection is kept: it is the director's to use.
            if let peer, peer.role == .fileDaemon { return parts.dialler.waiting.add(channel, of: peer.name) }
            defer { channel.close() }
            if let peer { try await ConsoleConversation(service: parts, channel: channel, console: peer.name).run() }
          } catch {
            channel.close()
            // The peer is gone, or said what nobody says; other consoles' conversations go on.
            if let text = PeerComplaint.text(about: error, from: transport.peer) { parts.log.tell(.security, text) }
          }
        }
      }
      group.cancelAll()
    }
  }
}

/// What the parts of a director that serves a network share.
final class DirectorParts: Sendable {
  let configuration: DirectorConfiguration
  let catalog: any CatalogStore
  let clock: any VaultClock
  let zone: LocalTimeZone
  let log: MessageLog
  let network: Network
  let queue: JobQueue
  let dialler: DaemonDialler
  let began: Timestamp
  private let ending = Atomic(false)

  init(
    configuration: DirectorConfiguration, catalog: any CatalogStore, clock: any VaultClock, zone: LocalTimeZone,
    log: MessageLog, network: Network, queue: JobQueue, dialler: DaemonDialler
  ) {
    self.configuration = configuration
    self.catalog = catalog
    self.clock = clock
    self.zone = zone
    self.log = log
    self.network = network
    self.queue = queue
    self.dialler = dialler
    began = clock.now()
  }

  var name: String { configuration.daemon.name }

  /// Whether the process is about to end: jobs that stop now go on later.
  var isEnding: Bool { ending.load(ordering: .relaxed) }
  func end() { ending.store(true, ordering: .relaxed) }
}
