import Synchronization
import VaultCatalog
import VaultConfiguration
import VaultCrypto
import VaultMessages
import VaultModel
import VaultProtocol
import VaultScheduler
import VaultSession
import VaultSystem

/// Runs one job of the queue to its end, and tells its log.
struct JobRunner: Sendable {
  /// How long a cancelled job may take to end in order; then its connections are cut.
  private static let graceNanoseconds: UInt64 = 3_000_000_000

  let service: DirectorParts
  let job: QueuedJob

  func run() async {
    let status: JobStatus
    do {
      service.log.tell(.info, job: job.number, "\(job.kind.capitalizedFirst) job '\(job.name)' begins.")
      status = try await perform()
    } catch {
      status = await failed(error)
    }
    service.log.tell(.terminate, job: job.number, "Job \(job.number) ended: \(status.title).")
    service.log.release(job.number)
    await service.queue.ended(job.number, status)
    Heap.giveBack()
  }

  private func perform() async throws -> JobStatus {
    let channels = ChannelSet()
    let poller = service.network.poller
    job.cancel.whenSet {
      _ = poller.after(nanoseconds: Self.graceNanoseconds) { channels.cut() }
    }
    switch job.work {
    case .backup(let request, let place): return try await backUp(request, place, channels)
    case .restore(let line, let arguments): return try await restore(line, arguments, channels)
    }
  }

  // MARK: Backups

  private func backUp(
    _ request: RunRequest, _ place: StoragePlace, _ channels: ChannelSet
  ) async throws -> JobStatus {
    let (service, job) = (service, job)
    let connecting = Connecting(service: service, job: job, channels: channels)
    defer { connecting.stopWatching() }
    var diallers = Director.Diallers(
      storage: { try await connecting.place(place) }, fileDaemon: { try await connecting.client() })
    diallers.route = { session in try connecting.route(to: place.storage, for: session) }
    diallers.client = job.client.peer.name
    var director = Director(
      name: service.name, catalog: service.catalog, clock: service.clock, zone: service.zone, diallers: diallers,
      place: place.text)
    director.relay = MessageRelay(log: service.log, job: job, storage: place.storage).take
    let patience = ReconnectPatience(
      windowSeconds: service.configuration.reconnectWindowSeconds,
      pause: { nanoseconds in await connecting.pause(nanoseconds: nanoseconds) },
      onLoss: { error in
        connecting.lost()
        if let refusal = error as? PeerRefusal { job.hindrance.refused(refusal) }
      },
      tell: { text in service.log.tell(.warning, job: job.number, text) })
    var backup = BackupJob(
      director: director, request: request, number: job.number, cancel: job.cancel, patience: patience,
      staysOpen: { service.isEnding }
    ) { line in job.progress.set(line) }
    _ = try await backup.run()
    return try await report()
  }

  /// Tells the log what the job did.
  private func report() async throws -> JobStatus {
    let (catalog, number) = (service.catalog, job.number)
    let record = try await onThread(name: "vault-catalog") { try catalog.job(number: number) }
    guard let record else { throw DirectorError.noSuchJob(number) }
    let counters = record.counters
    service.log.tell(
      .info, job: number,
      """
      \(record.description.level.rawValue.capitalizedFirst) backup: \(counters.entriesSeen) entries seen, \(counters.new) new, \
      \(counters.changed) changed, \(counters.deleted) deleted, \(counters.unchanged) unchanged; \(counters.bytesRead) bytes \
      read, \(counters.bytesStored) stored; \(counters.problems) problems.
      """)
    try await tellProblems(counters.problems)
    return record.status
  }

  private func tellProblems(_ count: UInt64) async throws {
    guard count > 0 else { return }
    let (catalog, number, log) = (service.catalog, job.number, service.log)
    try await onThread(name: "vault-catalog") {
      for problem in try catalog.problems(of: number, after: 0, limit: 100) {
        let path = problem.directory.appending(problem.name).path.displayText
        log.tell(.notSaved, job: number, "\(path): \(problem.phase), error \(problem.errorNumber).")
      }
    }
  }

  // MARK: Restores

  private func restore(
    _ line: ControlLine, _ arguments: [ByteString], _ channels: ChannelSet
  ) async throws -> JobStatus {
    let (service, job) = (service, job)
    let catalog = service.catalog
    let connecting = Connecting(service: service, job: job, channels: channels)
    defer { connecting.stopWatching() }
    let storages = try await onThread(name: "vault-catalog") { connecting.readingStorages(try catalog.volumes()) }
    guard !storages.isEmpty else { throw QueueRefusal.noVolumes }
    var diallers = Director.Diallers(
      storage: { throw QueueRefusal.noVolumes }, fileDaemon: { try await connecting.client() })
    diallers.client = job.client.peer.name
    diallers.readingStorages = storages
    var director = Director(
      name: service.name, catalog: catalog, clock: service.clock, zone: service.zone, diallers: diallers)
    director.relay = MessageRelay(log: service.log, job: job).take
    var line = line
    line.set("number", job.number)
    let restore = RestoreJob(director: director, line: line, arguments: arguments, cancel: job.cancel) {
      kind, payload in
      guard let line = try? ControlLine(payload: payload) else { return }
      switch kind {
      case .progress: job.progress.set(line)
      case .restoreProblem: service.log.tell(.error, job: job.number, Self.text(of: line))
      default: return
      }
    }
    let reply = try await restore.run()
    return try await finishRestore(reply)
  }

  private func finishRestore(_ reply: Reply) async throws -> JobStatus {
    let (catalog, number, clock) = (service.catalog, job.number, service.clock)
    let files: UInt64 = try reply.line.integer("files")
    let bytes: UInt64 = try reply.line.integer("bytes")
    let problems: UInt64 = try reply.line.integer("problems")
    let isDamaged = reply.line["damage"] == "yes"
    let status: JobStatus = problems > 0 || isDamaged ? .terminatedWithWarnings : .terminated
    service.log.tell(
      .info, job: number,
      "Restored \(files) files with \(bytes) bytes of job \(reply.line["job"]?.text ?? "?"); \(problems) problems.")
    try await onThread(name: "vault-catalog") {
      try catalog.endErrand(
        number, status: status, ended: clock.now(), files: files, bytes: bytes, problems: problems)
    }
    return status
  }

  private static func text(of problem: ControlLine) -> String {
    let path = problem["path"]?.displayText ?? ""
    return "\(path): \(problem["reason"]?.text ?? "could not be restored.")"
  }

  // MARK: Failures

  private func failed(_ error: any Error) async -> JobStatus {
    let (catalog, number, clock, work) = (service.catalog, job.number, service.clock, job.work)
    let isCanceled = job.cancel.isSet
    let isEnding = service.isEnding
    let isMistake = ConfigurationMistake.isOne(error)
    if isEnding {
      service.log.tell(.warning, job: number, "The director ends: the job goes on when it is back.")
    } else if isCanceled {
      service.log.tell(.info, job: number, "The job was canceled.")
    } else {
      service.log.tell(.fatal, job: number, "\(error)")
    }
    do {
      return try await onThread(name: "vault-catalog") {
        switch work {
        case .backup:
          guard let record = try catalog.job(number: number) else { return .failed }
          if record.status.isPublished { return record.status }
          // It is running still, for whoever looks at the catalog when the director is back.
          if isEnding { return .incomplete }
          // Where nothing is kept, and the next run would meet the same, nothing is there to go on with.
          let isFailed = isMistake && record.lastCommit == 0
          let status: JobStatus = isCanceled ? .canceled : isFailed ? .failed : .incomplete
          try catalog.endJob(
            number, outcome: JobOutcome(status: status, ended: clock.now(), counters: record.counters))
          return status
        case .restore:
          let status: JobStatus = isCanceled ? .canceled : .failed
          try catalog.endErrand(number, status: status, ended: clock.now(), files: 0, bytes: 0, problems: 0)
          return status
        }
      }
    } catch {
      service.log.tell(.error, job: number, "The end of the job cannot be noted: \(error)")
      return .failed
    }
  }
}

/// The connections of one job, to be cut together.
final class ChannelSet: Sendable {
  private struct State {
    var channels: [Channel] = []
    var isCut = false
  }

  private let state = Mutex(State())

  /// Takes a connection in; one that comes after the cut is closed at once.
  func add(_ channel: Channel) {
    let isCut = state.withLock { state in
      if !state.isCut { state.channels.append(channel) }
      return state.isCut
    }
    if isCut { channel.close() }
  }

  /// Forgets the connections of an attempt that is over.
  func removeAll() { state.withLock { $0.channels = [] } }

  /// Closes the connections there are, and each that comes later.
  func cut() {
    state.withLock { $0.isCut = true }
    closeAll()
  }

  /// Closes the connections there are.
  func closeAll() {
    let channels = state.withLock { state in
      defer { state.channels = [] }
      return state.channels
    }
    for channel in channels { channel.close() }
  }
}

extension String {
  fileprivate var capitalizedFirst: String { prefix(1).uppercased() + dropFirst() }
}
