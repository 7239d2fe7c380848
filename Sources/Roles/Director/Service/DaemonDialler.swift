import VaultCatalog
import VaultConfiguration
import VaultCrypto
import VaultMessages
import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

/// How the director reaches clients and storage daemons.
struct DaemonDialler: Sendable {
  let configuration: DirectorConfiguration
  let network: Network
  let catalog: any CatalogStore
  let clock: any VaultClock
  let log: MessageLog
  private let clients: PeerBook
  private let storages: PeerBook
  /// Connections that clients opened.
  let waiting = WaitingClients()
  private let recoveries = RecoveryGate()

  init(
    configuration: DirectorConfiguration, network: Network, secrets: SecretStore, catalog: any CatalogStore,
    clock: any VaultClock, log: MessageLog
  ) throws {
    self.configuration = configuration
    self.network = network
    self.catalog = catalog
    self.clock = clock
    self.log = log
    let own = configuration.daemon.tls
    clients = try PeerBook(configuration.clients.map(\.peer), own: own, secrets: secrets)
    storages = try PeerBook(configuration.storages.map(\.peer), own: own, secrets: secrets)
    for warning in clients.warnings + storages.warnings { log.tell(.security, warning) }
  }

  private var name: String { configuration.daemon.name }

  // MARK: Clients

  /// A connection to a client: one that it has opened, else one that is dialled, again and again for as long as its connect
  /// timeout says, else one that it opens in as long a time again.
  ///
  /// - Parameter seconds: for how long; nil for the configuration's own.
  func dialClient(_ client: DirectorConfiguration.Client, forSeconds seconds: UInt64? = nil) async throws -> Channel {
    let seconds = seconds ?? configuration.clientConnectSeconds
    if client.mayDial, let channel = await waitingChannel(of: client.peer.name) { return channel }
    var failure: (any Error)?
    if let address = client.address, client.mayBeDialled, clients.hasCredentials(for: client.peer.name) {
      let identity = PeerIdentity(dialler: .director, name, listener: .fileDaemon, client.peer.name)
      do {
        return try await insisting(forSeconds: seconds) {
          try await clients.dial(network, host: address.text, port: client.port, identity: identity)
        }
      } catch {
        guard client.mayDial, Self.mayAnswerLater(error), !Task.isCancelled else { throw error }
        failure = error
      }
    }
    guard client.mayDial else { throw DialRefusal.notReachable(client.peer.name) }
    if let channel = await comingChannel(of: client.peer.name, forSeconds: seconds) { return channel }
    let dialled = failure.map { "; dialling it failed: \($0)" } ?? ""
    throw TransportError(
      .unreachable("it has not called within \(seconds) seconds (Connection From Client To Director)\(dialled)"),
      peer: client.peer.name)
  }

  /// What a client that calls in is held to; nil for one that may not.
  func terms(ofClient name: String) -> PeerTerms? { mayDial(name) ? clients.terms(of: name) : nil }

  /// Finds the key of a client that calls in; does not block.
  func findKey(ofClient name: String, for identity: PeerIdentity, tell: @escaping @Sendable ([UInt8]?) -> Void) {
    if mayDial(name) { clients.findKey(of: name, for: identity, tell: tell) } else { tell(nil) }
  }

  private func mayDial(_ name: String) -> Bool {
    configuration.clients.contains { $0.peer.name == name && $0.mayDial }
  }

  /// A connection that waits and whose client is there.
  private func waitingChannel(of client: String) async -> Channel? {
    while !Task.isCancelled, let channel = waiting.take(client) {
      channel.limitSilence(seconds: Self.answerSeconds, poller: network.poller)
      if await Self.answers(channel) {
        channel.limitSilence(seconds: 0, poller: network.poller)
        return channel
      }
      channel.close()
    }
    return nil
  }

  /// How long a client may take to answer on a connection that waited.
  private static let answerSeconds: UInt64 = 5

  private static func answers(_ channel: Channel) async -> Bool {
    (try? await channel.request(ControlLine("noop"), expecting: .fileDaemonOK)) != nil
  }

  /// The same, of those that come within a time.
  private func comingChannel(of client: String, forSeconds seconds: UInt64) async -> Channel? {
    let deadline = clock.monotonicNanoseconds() + seconds * 1_000_000_000
    while !Task.isCancelled {
      if let channel = await waitingChannel(of: client) { return channel }
      let now = clock.monotonicNanoseconds()
      guard now < deadline else { return nil }
      await waiting.arrival(of: client, poller: network.poller, nanoseconds: deadline - now)
    }
    return nil
  }

  // MARK: Storage daemons

  /// Dials a storage daemon.
  func dial(_ storage: DirectorConfiguration.Storage, forSeconds seconds: UInt64? = nil) async throws -> Channel {
    guard storages.hasCredentials(for: storage.peer.name) else { throw DialRefusal.notReachable(storage.peer.name) }
    let identity = PeerIdentity(dialler: .director, name, listener: .storageDaemon, storage.peer.name)
    return try await insisting(forSeconds: seconds ?? configuration.storageConnectSeconds) {
      try await storages.dial(network, host: storage.address.text, port: storage.port, identity: identity)
    }
  }

  /// Dials a storage daemon and chooses a place there, whose volumes the catalog agrees with.
  func dialPlace(_ place: StoragePlace, forSeconds seconds: UInt64? = nil) async throws -> Channel {
    let channel = try await dial(place.storage, forSeconds: seconds)
    do {
      try await choose(place, on: channel)
      return channel
    } catch {
      channel.close()
      throw error
    }
  }

  /// Chooses a place for the requests that follow on a connection; its volumes are looked at first when they were not yet.
  func choose(_ place: StoragePlace, on channel: Channel) async throws {
    for _ in 0..<3 {
      let chosen = try await use(place, on: channel, anew: false)
      if await recoveries.isRecovered(place.text, chosen.incarnation) { return }
      try await recoveries.recover(place.text) { try await recover(place) }
    }
    throw DialRefusal.keepsRestarting(place.storage.peer.name)
  }

  private func use(
    _ place: StoragePlace, on channel: Channel, anew: Bool
  ) async throws -> (incarnation: UniqueIdentifier, isRecovered: Bool) {
    var line = ControlLine("use device")
    line.set("device", place.device)
    // It is that of the device which dir.conf names; older volumes may lie on another.
    if place.device == place.storage.device { line.set("media-type", place.storage.mediaType) }
    line.set("repository", catalog.repository.text)
    line.set("pool", place.pool)
    line.set("volume-prefix", place.volumePrefix)
    line.set("volume-size", place.volumeSize)
    if anew { line.set("anew", "yes") }
    let reply = try await channel.request(line, expecting: .storageOK)
    return (try reply.line.identifier("incarnation"), try reply.line.text("recovered") == "yes")
  }

  /// Lets the storage daemon look at what a place's volumes hold beyond the catalog.
  private func recover(_ place: StoragePlace) async throws -> UniqueIdentifier {
    let channel = try await dial(place.storage)
    defer { channel.close() }
    var chosen = try await use(place, on: channel, anew: false)
    // Another life of this director had it open: what came of that is on the volumes.
    if chosen.isRecovered { chosen = try await use(place, on: channel, anew: true) }
    let director = Director(
      name: name, catalog: catalog, clock: clock,
      diallers: Director.Diallers(
        storage: { throw DialRefusal.notReachable(place.storage.peer.name) },
        fileDaemon: { throw DialRefusal.notReachable(place.storage.peer.name) }), place: place.text)
    let found = try await Recovery(director: director).compare(over: channel, marksInterrupted: false)
    for note in found.notes { log.tell(.volumeManagement, "\(place.storage.peer.name): \(note)") }
    return chosen.incarnation
  }

  // MARK: Insisting

  /// Dials until somebody answers or the time is over; a refusal ends it at once.
  private func insisting(
    forSeconds seconds: UInt64, _ dial: @escaping @Sendable () async throws -> Channel
  ) async throws -> Channel {
    let start = clock.monotonicNanoseconds()
    var pauseSeconds: UInt64 = 1
    while true {
      do {
        return try await dial()
      } catch {
        let elapsed = (clock.monotonicNanoseconds() - start) / 1_000_000_000
        guard Self.mayAnswerLater(error), elapsed + pauseSeconds < seconds, !Task.isCancelled else { throw error }
        await network.pause(nanoseconds: pauseSeconds * 1_000_000_000)
        if Task.isCancelled { throw error }
        pauseSeconds = min(2 * pauseSeconds, 10)
      }
    }
  }

  private static func mayAnswerLater(_ error: any Error) -> Bool {
    switch error {
    case let error as TransportError:
      switch error.kind {
      case .unreachable, .timedOut, .silent, .closed: return true
      case .malformed, .broken, .refused, .tooLarge, .cancelled: return false
      }
    case is NameLookupError: return true
    default: return false
    }
  }
}

/// Why a daemon is not dialled.
enum DialRefusal: DescribedError, Hashable {
  case notReachable(String)
  case keepsRestarting(String)

  var exitStatus: ExitStatus { .unreachable }
  var description: String {
    switch self {
    case .notReachable(let name): "\(name) has no address or no password in dir.conf, so that it cannot be dialled."
    case .keepsRestarting(let name): "\(name) was restarted again and again while its volumes were looked at."
    }
  }
}
