import Synchronization
import VaultConfiguration
import VaultCrypto
import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

/// The connections that one job makes: a cancel ends every wait for one at once.
final class Connecting: Sendable {
  let service: DirectorParts
  private let job: QueuedJob
  private let channels: ChannelSet
  /// Whether a daemon was lost: others are then dialled for a moment only, since the next attempt tries again.
  private let wasLost = Atomic(false)
  private let watches = Mutex<[PeerWatch]>([])

  init(service: DirectorParts, job: QueuedJob, channels: ChannelSet) {
    self.service = service
    self.job = job
    self.channels = channels
  }

  /// A daemon was lost.
  func lost() {
    wasLost.store(true, ordering: .relaxed)
    channels.removeAll()
    stopWatching()
  }

  private var seconds: UInt64? { wasLost.load(ordering: .relaxed) ? 5 : nil }

  func place(_ place: StoragePlace) async throws -> Channel {
    let channel = try await noting(.storageDaemon) { [service, seconds] in
      try await service.dialler.dialPlace(place, forSeconds: seconds)
    }
    watch(.storageOK) { [service] in try await service.dialler.dial(place.storage, forSeconds: 5) }
    return channel
  }

  func client() async throws -> Channel {
    let channel = try await noting(.fileDaemon) { [service, job, seconds] in
      try await service.dialler.dialClient(job.client, forSeconds: seconds)
    }
    // It is dialled last: everybody is there.
    job.hindrance.set(nil)
    // One that calls needs its time to call again.
    let watchSeconds = job.client.mayDial ? max(5, service.configuration.daemon.peerTimeoutSeconds) : 5
    watch(.fileDaemonOK) { [service, job] in
      try await service.dialler.dialClient(job.client, forSeconds: watchSeconds)
    }
    return channel
  }

  // MARK: Watching

  /// Watches a daemon that the job needs: when it is lost, so are all connections of the attempt.
  private func watch(_ code: StatusCode, _ dial: @escaping @Sendable () async throws -> Channel) {
    let (channels, log, number) = (channels, service.log, job.number)
    let watch = PeerWatch(
      network: service.network, timeoutSeconds: service.configuration.daemon.peerTimeoutSeconds, code: code, dial: dial
    ) { error in
      log.tell(.warning, job: number, "\(error)")
      channels.closeAll()
    }
    watches.withLock { $0.append(watch) }
  }

  /// The attempt is over.
  func stopWatching() {
    let watches = watches.withLock { watches in
      defer { watches = [] }
      return watches
    }
    for watch in watches { watch.stop() }
  }

  /// How the client reaches a storage daemon: by its Lan Address where both have one.
  func route(to storage: DirectorConfiguration.Storage, for name: UniqueIdentifier) throws -> StorageRoute {
    let host = job.client.lanAddress == nil ? storage.address : storage.lanAddress ?? storage.address
    return StorageRoute(
      storage: storage.peer.name, host: host.text, port: storage.port, job: name,
      key: try PresharedKey.random(byteCount: StorageRoute.keyByteCount))
  }

  func pause(nanoseconds: UInt64) async {
    let network = service.network
    let task = Task { await network.pause(nanoseconds: nanoseconds) }
    job.cancel.whenSet { task.cancel() }
    await task.value
  }

  /// Dials, and notes whom the job waits for when that fails.
  private func noting(
    _ wait: QueuedJob.Wait, _ dial: @escaping @Sendable () async throws -> Channel
  ) async throws -> Channel {
    do { return try await untilCancelled(dial) } catch {
      job.hindrance.set(wait)
      throw error
    }
  }

  private func untilCancelled(_ dial: @escaping @Sendable () async throws -> Channel) async throws -> Channel {
    if job.cancel.isSet { throw DirectorError.interrupted }
    let task = Task { try await dial() }
    job.cancel.whenSet { task.cancel() }
    let channel = try await task.value
    channels.add(channel)
    return channel
  }
}
