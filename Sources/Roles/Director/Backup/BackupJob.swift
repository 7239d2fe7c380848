import VaultCatalog
import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

/// One run of a backup job: attempts until it is published, interrupted, or given up.
struct BackupJob: Sendable {
  /// Attempts in one run: a volume that failed is condemned, and the job goes on with another.
  private static let attemptLimit = 3

  let director: Director
  let request: RunRequest
  /// The job that waited for its turn; nil for one that is decided on when it begins.
  let number: JobNumber?
  let cancel: CancelSignal
  /// How long daemons that are lost are waited for.
  private var patience: ReconnectPatience?
  /// Whether the file daemon took the job: only a job that ran waits for daemons that do not answer.
  private var hasRun = false
  /// Whether a job that stops is left as it is, since the director itself stops.
  private let staysOpen: @Sendable () -> Bool
  /// Is told how far the job is, about once a second.
  let tell: @Sendable (ControlLine) -> Void

  init(
    director: Director, request: RunRequest, number: JobNumber? = nil, cancel: CancelSignal,
    patience: ReconnectPatience? = nil, staysOpen: @escaping @Sendable () -> Bool = { false },
    tell: @escaping @Sendable (ControlLine) -> Void
  ) {
    self.director = director
    self.request = request
    self.number = number
    self.cancel = cancel
    self.patience = patience
    self.staysOpen = staysOpen
    self.tell = tell
  }

  private struct AttemptEnd: Sendable {
    var start: JobStart
    var counters: JobCounters
    /// Names that the file daemon left out.
    var excludedCount: UInt64
    var isInterrupted: Bool
  }

  mutating func run() async throws -> Reply {
    let (catalog, clock, request, waiting) = (director.catalog, director.clock, request, number)
    var job = try await onThread(name: "vault-catalog") {
      if let waiting { return try JobStart.begin(waiting, request, catalog: catalog) }
      return try JobStart.job(request, catalog: catalog, clock: clock)
    }
    let number = job.description.number
    for attempt in 1... {
      do {
        let end = try await runAttempt(job)
        return try await finish(end)
      } catch {
        guard try await goesOn(number, job.lastCommit, after: error, attempt: attempt) else {
          try await giveUp(number)
          throw cancel.isSet ? DirectorError.interrupted : error
        }
      }
      job = try await onThread(name: "vault-catalog") {
        guard let job = try catalog.job(number: number) else { throw DirectorError.noSuchJob(number) }
        return job
      }
    }
    throw DirectorError.interrupted
  }

  /// Whether another attempt is to be made; waits until it is time for it.
  ///
  /// - Parameter commit: the last commit when the attempt began that failed.
  private mutating func goesOn(
    _ number: JobNumber, _ commit: UInt64, after error: any Error, attempt: Int
  ) async throws -> Bool {
    if cancel.isSet || Task.isCancelled { return false }
    if let refusal = error as? PeerRefusal, refusal.code == .sessionAborted, attempt < Self.attemptLimit { return true }
    guard patience != nil, ReconnectPatience.isLoss(error) else { return false }
    if !hasRun, ReconnectPatience.isUnanswered(error) || ConfigurationMistake.isOne(error) { return false }
    let catalog = director.catalog
    let reached = try await onThread(name: "vault-catalog") { try catalog.job(number: number)?.lastCommit ?? 0 }
    let clock = director.clock
    return await patience?.wait(after: error, madeProgress: reached > commit, clock: clock) ?? false
  }

  // MARK: One attempt

  private mutating func runAttempt(_ job: JobRecord) async throws -> AttemptEnd {
    let storage = try await director.diallers.storage()
    defer { storage.close() }
    let catalog = director.catalog
    // A storage daemon that was away has just been looked at: the catalog may know more of the job now, its end included.
    let job = try await onThread(name: "vault-catalog") { try catalog.job(number: job.description.number) ?? job }
    if job.status.isPublished { return try await published(job) }
    if director.place != nil, job.attempt > 0 {
      let replay = CommitReplay(director: director, storage: storage)
      if try await replay.catchUp(with: job) { return try await published(job) }
    }
    let start = try await onThread(name: "vault-catalog") {
      try JobStart.next(attemptOf: try catalog.job(number: job.description.number) ?? job, catalog: catalog)
    }
    let route = try director.diallers.route?(start.description.session)
    try await storage.request(
      jobLine(start, route), frame: (.jobRecord, Self.record { $0.job(start.description) }), expecting: .storageOK)
    let attributes = try await director.diallers.storage()
    defer { attributes.close() }
    try await attributes.request(
      ControlLine("attribute data", words: [ByteString(start.description.session.text)]), expecting: .storageOK)
    let fileDaemon = try await director.diallers.fileDaemon()
    defer { fileDaemon.close() }
    let compression = try await compression(storage, fileDaemon)
    try await fileDaemon.request(
      backupLine(start, route, compression), frame: (.paths, PathList.encode(start.description.paths)),
      (.patterns, PathList.encode(request.patterns)), expecting: .fileDaemonOK)
    hasRun = true
    cancel.whenSet { fileDaemon.sendSoon(.cancel) }

    let (place, relay) = (director.place, director.relay)
    let number = start.description.number
    async let commits: Void = onThread(name: "vault-commits") {
      // Without its commits a job is lost: everything else stops too.
      do {
        try CommitReceiver(channel: attributes, catalog: catalog, place: place, relay: relay).receiveAll(of: number)
      } catch {
        fileDaemon.close()
        throw error
      }
    }
    let line: ControlLine
    do {
      line = try await serve(fileDaemon, start)
    } catch let trouble {
      attributes.close()
      // The commits' own trouble is the cause; that their channel is closed is not.
      do { try await commits } catch { if !(error is TransportError) { throw error } }
      throw trouble
    }
    // No data come from a file daemon that gave up, perhaps none ever did: without its director the session ends now, and
    // with it its commits.
    if try Reply(line).code != .fileDaemonOK { storage.close() }
    // What was committed is in the catalog before anything is judged, failures of the file daemon included.
    try await commits
    let end = try Self.end(start, line)
    if !end.isInterrupted {
      let outcome = JobOutcome(
        status: end.counters.problems > 0 ? .terminatedWithWarnings : .terminated, ended: director.clock.now(),
        counters: end.counters)
      let reply = try await storage.request(
        ControlLine("end job", words: [ByteString(start.description.session.text)]),
        frame: (.jobRecord, Self.record { $0.jobEnd(outcome) }), expecting: .storageOK)
      try await publish(number, outcome, reply)
    }
    return end
  }

  /// The end of a job that had ended on its volume already.
  private func published(_ job: JobRecord) async throws -> AttemptEnd {
    let (catalog, number) = (director.catalog, job.description.number)
    return try await onThread(name: "vault-catalog") {
      let job = try catalog.job(number: number) ?? job
      return AttemptEnd(
        start: JobStart(description: job.description, attempt: job.attempt, lastCommit: job.lastCommit),
        counters: job.counters, excludedCount: 0, isInterrupted: false)
    }
  }

  private static func end(_ start: JobStart, _ line: ControlLine) throws -> AttemptEnd {
    let reply = try Reply(line)
    guard reply.code == .fileDaemonOK else { throw PeerRefusal(reply) }
    return AttemptEnd(
      start: start, counters: try JobCounters(line), excludedCount: try line.integer("excluded"),
      isInterrupted: try line.text("state") == "stopped")
  }

  private func serve(_ fileDaemon: Channel, _ start: JobStart) async throws -> ControlLine {
    let (catalog, tell, relay) = (director.catalog, tell, director.relay)
    let description = start.description
    let isContinued = start.resume != nil
    let expected = start.expected
    return try await onThread(name: "vault-state") {
      var server = StateServer(
        channel: fileDaemon, catalog: catalog, job: description, isContinued: isContinued, relay: relay
      ) { line in
        var line = line
        expected?.writeTotals(to: &line)
        tell(line)
      }
      return try server.run()
    }
  }

  // MARK: Ends

  private func publish(_ number: JobNumber, _ outcome: JobOutcome, _ reply: Reply) async throws {
    let (catalog, place) = (director.catalog, director.place)
    let volumes = try reply.line.all("volume").map { field in
      try field.bytes.withUnsafeBytes { try VolumeList.decode($0) }
    }.flatMap { $0 }
    try await onThread(name: "vault-catalog") {
      for volume in volumes { try catalog.recordVolume(volume.at(place)) }
      try catalog.publish(number, outcome: outcome)
    }
  }

  private func finish(_ end: AttemptEnd) async throws -> Reply {
    let number = end.start.description.number
    if end.isInterrupted {
      try await giveUp(number)
      throw DirectorError.interrupted
    }
    var reply = Reply(.directorOK)
    reply.line.set("job", number)
    reply.line.set("kept-entries", end.start.resume?.keptEntries ?? 0)
    reply.line.set("kept-bytes", end.start.resume?.keptBytes ?? 0)
    reply.line.set("excluded", end.excludedCount)
    return reply
  }

  /// Leaves the job as incomplete: what its commits cover is kept, and the next run goes on from there.
  private func giveUp(_ number: JobNumber) async throws {
    if staysOpen() { return }
    let (catalog, clock) = (director.catalog, director.clock)
    try await onThread(name: "vault-catalog") {
      guard let job = try catalog.job(number: number), !job.status.isPublished else { return }
      try catalog.endJob(
        number, outcome: JobOutcome(status: .incomplete, ended: clock.now(), counters: job.counters))
    }
  }

  // MARK: Requests

  private func jobLine(_ start: JobStart, _ route: StorageRoute?) -> ControlLine {
    var line = ControlLine("job", words: [ByteString(start.description.session.text)])
    line.set("number", start.description.number)
    line.set("attempt", start.attempt)
    line.set("last-commit", start.lastCommit)
    if let lastGroup = start.lastGroup { line.set("last-group", LocationCodec.field(lastGroup)) }
    line.fields += request.storageFields
    director.announce(route, in: &line)
    return line
  }

  /// How the job's data is compressed: as it was asked for, or with LZ4 where one of the daemons does not know it.
  private func compression(_ storage: Channel, _ fileDaemon: Channel) async throws -> Compression {
    guard case .zstd = request.compression else { return request.compression }
    for (channel, code, role) in [
      (storage, StatusCode.storageOK, PeerRole.storageDaemon), (fileDaemon, .fileDaemonOK, .fileDaemon),
    ] {
      if try await Hello.knowsZstd(channel, answering: code) { continue }
      let message = MessageLine(
        time: director.clock.now(), messageClass: "warning", isOfJob: true,
        text: "This version does not know Zstandard: LZ4 is taken.")
      director.relay?(role, message.line)
      return .lz4
    }
    return request.compression
  }

  private func backupLine(_ start: JobStart, _ route: StorageRoute?, _ compression: Compression) -> ControlLine {
    var line = ControlLine("backup", words: [ByteString(start.description.session.text)])
    line.set("number", start.description.number)
    line.set("attempt", start.attempt)
    line.set("compare", start.description.baseSequence > 0 ? "yes" : "no")
    line.fields += request.fileFields
    line.set(compression)
    route?.write(to: &line)
    guard let resume = start.resume else { return line }
    line.set("next-entry", resume.nextEntryIndex)
    line.set("next-group", resume.nextGroup)
    if let position = resume.position {
      line.set("directory", position.directory.path)
      line.set("name", position.name)
    }
    if let halfSent = resume.halfSent {
      line.set("half-sent-offset", halfSent.committed.lastOffset)
      line.set("half-sent-bytes", halfSent.committed.rawByteCount)
      line.set(
        "half-sent-entry",
        ByteString(
          Self.record { records in
            records.directory(number: 1, path: halfSent.directory.path)
            records.entry(index: halfSent.index, directory: 1, halfSent.entry)
          }))
    }
    return line
  }

  private static func record(_ body: (inout RecordWriter) -> Void) -> [UInt8] {
    var writer = RecordWriter(capacity: 1024)
    body(&writer)
    return Array(writer.bytes)
  }
}
