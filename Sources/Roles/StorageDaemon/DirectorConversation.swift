import VaultDevice
import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

/// One director's connection: jobs announced and ended, commits handed over, recovery.
struct DirectorConversation: Sendable {
  let storage: StorageDaemon
  let channel: Channel
  /// What the director calls itself.
  let director: String
  /// Whether it takes messages of its jobs.
  private let takesMessages: Bool
  /// What the director's requests are about.
  private var chosen: OpenDevice?

  init(storage: StorageDaemon, channel: Channel, director: Hello) {
    self.storage = storage
    self.channel = channel
    self.director = director.name
    takesMessages = director.takesMessages
    chosen = storage.devices.only
  }

  /// The device that requests are about.
  func device() throws(StorageError) -> Device {
    guard let chosen else { throw StorageError(.noDeviceChosen) }
    return chosen.device
  }

  /// The same, once its volumes are known.
  private func recoveredDevice() throws(StorageError) -> OpenDevice {
    guard let chosen else { throw StorageError(.noDeviceChosen) }
    guard chosen.isRecovered || chosen.place == nil else { throw StorageError(.notRecovered) }
    return chosen
  }

  mutating func run() async throws {
    var announced: [AnnouncedJob] = []
    var readers: [UniqueIdentifier] = []
    var rewrite: VolumeRewrite?
    defer {
      rewrite?.abandon()
      // A director that goes takes its jobs with it: what they committed stays.
      for job in announced where storage.jobs.appending(job.session) === job { storage.cut(job) }
      for reader in readers { storage.jobs.withdrawReader(reader) }
    }
    while let line = try await channel.receiveLine() {
      storage.activity.heard(director, intervalSeconds: line["interval"]?.text.flatMap { UInt64($0) })
      do {
        switch line.verb {
        case "use device": try await useDevice(line)
        case "job": announced.append(try await announce(line))
        case "replay": try await replay(line)
        case "end job": try await end(line)
        case "attribute data": try await sendCommits(line)
        case "read job":
          let job = try Self.identifier(line)
          guard storage.jobs.announceReader(job, try reader(line), of: try recoveredDevice().device) else {
            throw StorageError(.sessionBusy)
          }
          readers.append(job)
          try await channel.sendReply(Reply(.storageOK))
        case "recover": try await recover()
        case "verify volume": try await verifyVolume(line)
        case "list volumes": try await listVolumes()
        case "retain": try await retain(line)
        case "purge": try await purge()
        case "rewrite volume": try await beginRewrite(line, &rewrite)
        case "rewrite blocks": try await rewriteBlocks(line, &rewrite)
        case "rewrite end": try await endRewrite(&rewrite)
        case "rewrite cancel": try await cancelRewrite(&rewrite)
        case "status": try await status()
        case "notify": try await notify(line)
        case "noop": try await channel.sendReply(storage.hello.noopReply)
        default: throw StorageError(.unknownRequest(line.verb))
        }
      } catch let error as TransportError {
        throw error
      } catch {
        try await channel.sendReply(.refusing(error))
      }
    }
  }

  static func identifier(_ line: ControlLine) throws -> UniqueIdentifier {
    guard let identifier = UniqueIdentifier(text: try line.word(0).text ?? "") else {
      throw ControlError(.malformedField("session"), line: line.verb)
    }
    return identifier
  }

  func receiveRecord() async throws -> [UInt8] { try await receive(.jobRecord) }

  func receive(_ kind: FrameKind) async throws -> [UInt8] {
    let frame = try await channel.receiveFrame()
    guard frame.kind == kind else {
      throw TransportError(
        .malformed("a frame of kind \(frame.kind) where one of kind \(kind) belongs"), peer: channel.transport.peer)
    }
    return frame.payload
  }

  // MARK: Devices

  /// Chooses what the requests that follow are about.
  private mutating func useDevice(_ line: ControlLine) async throws {
    let wish = DeviceTable.Wish(
      device: try line.text("device"), mediaType: line["media-type"]?.text,
      repository: try line.identifier("repository"), pool: try line.text("pool"),
      volumePrefix: try line.text("volume-prefix"), volumeSize: try line.integer("volume-size"))
    let isAnew = line["anew"] == "yes"
    let (devices, director) = (storage.devices, director)
    let open = try await onThread(name: "vault-device") {
      isAnew ? try devices.reopen(wish, by: director) : try devices.use(wish, by: director)
    }
    chosen = open
    var reply = Reply(.storageOK)
    reply.line.set("incarnation", open.incarnation.text)
    reply.line.set("recovered", open.isRecovered ? "yes" : "no")
    try await channel.sendReply(reply)
  }

  // MARK: Jobs

  private func announce(_ line: ControlLine) async throws -> AnnouncedJob {
    let record = try await receiveRecord()
    let session = try Self.identifier(line)
    let attempt: UInt32 = try line.integer("attempt")
    let lastCommit: UInt64 = try line.integer("last-commit")
    let limits = try CommitLimits(line)
    let open = try recoveredDevice()
    if let running = storage.jobs.appending(session) {
      // A director that comes back to its job has lost the connection that the earlier attempt was announced on.
      guard running.device === open, open.place != nil else { throw StorageError(.sessionBusy) }
      storage.cut(running)
    }
    if let limit = storage.jobLimit, storage.jobs.appendingCount >= limit { throw StorageError(.tooManyJobs(limit)) }
    let lastGroup = try line["last-group"].map { try LocationCodec.location(field: $0) }
    let device = open.device
    let key = line["key"] == nil ? nil : try StorageRoute.key(line)
    let (client, password, director) = (line["client"]?.text, line["password"], director)
    let messages = storage.log?.job(line["number"]?.text.flatMap { JobNumber($0) }, of: director)
    guard storage.devices.beginJob(on: open) else {
      throw StorageError(.deviceBusy(open.place?.name ?? "", open.place?.concurrentJobLimit ?? 0))
    }
    let job: AnnouncedJob
    do {
      job = try await onThread(name: "vault-device") {
        let resume =
          lastCommit > 0 ? try device.resumeState(of: session, after: lastCommit, lastGroup: lastGroup) : nil
        return AnnouncedJob(
          session: session, director: director, limits: limits, device: open, key: key, client: client,
          password: password, lastIndex: lastGroup?.firstEntry ?? 0,
          record: try DeviceControlRecord(
            device: device, session: session, attempt: attempt, jobRecord: record, continuing: resume),
          messages: messages)
      }
    } catch {
      storage.devices.endJob(on: open)
      throw error
    }
    guard storage.jobs.announce(job) else {
      job.record.abort()
      storage.devices.endJob(on: open)
      throw StorageError(.sessionBusy)
    }
    try await channel.sendReply(Reply(.storageOK))
    return job
  }

  /// Sends what a session committed behind what the director's catalog has of it.
  private func replay(_ line: ControlLine) async throws {
    let session = try Self.identifier(line)
    let lastCommit: UInt64 = try line.integer("last-commit")
    let lastGroup = try line["last-group"].map { try LocationCodec.location(field: $0) }
    let device = try recoveredDevice().device
    if let running = storage.jobs.appending(session) { storage.cut(running) }
    let found = try await onThread(name: "vault-device") {
      device.mayHold(session, after: lastCommit)
        ? try device.replay(session: session, after: lastCommit, lastGroup: lastGroup) : nil
    }
    try await channel.sendReply(Reply(.storageOK))
    let channel = channel
    try await inFrames {
      try await onThread(name: "vault-attributes") {
        try RecoverySender(channel: channel, device: device).send(found)
      }
    }
  }

  private func end(_ line: ControlLine) async throws {
    let record = try await receiveRecord()
    let session = try Self.identifier(line)
    guard let job = storage.jobs.appending(session) else { throw StorageError(.unknownJob) }
    let volumes = try await onThread(name: "vault-device") { try job.record.endSession(jobEndRecord: record) }
    storage.withdraw(job)
    var reply = Reply(.storageOK)
    reply.line.set("volume", ByteString(VolumeList.encode(volumes)))
    try await channel.sendReply(reply)
  }

  /// Turns the connection into the channel that carries the session's commits to the director.
  private func sendCommits(_ line: ControlLine) async throws {
    guard let job = storage.jobs.appending(try Self.identifier(line)) else { throw StorageError(.unknownJob) }
    try await channel.sendReply(Reply(.storageOK))
    let (channel, device) = (channel, job.device.device)
    if takesMessages {
      job.messages?.carry { message in
        try message.frame.withUnsafeBytes { try channel.sendFrameBlocking(.message, $0) }
      }
    }
    job.messages?.tell(.info, "Device \(job.device.place?.name ?? storage.name) takes what is saved.")
    try await inFrames {
      try await onThread(name: "vault-attributes") {
        defer { job.messages?.end() }
        let sender = CommitSender(channel: channel, device: device)
        while let commit = job.commits.pop() { try sender.send(OutgoingCommit(commit)) }
        job.messages?.end()
        try sender.end()
      }
    }
  }

  /// Runs what answers in frames: its failure is a frame too, and ends the conversation.
  func inFrames(_ body: () async throws -> Void) async throws {
    do { try await body() } catch let error as TransportError { throw error } catch {
      try await channel.sendFrame(.jobEnd, Reply.refusing(error).line.encoded())
      throw TransportError(.closed, peer: channel.transport.peer)
    }
  }

  /// Says what the daemon is, its devices, and what runs on them.
  private func status() async throws {
    try await channel.sendReply(Reply(.storageOK))
    var own = ControlLine("storage")
    own.set("name", storage.name)
    own.set("version", Hello.version)
    own.fields.append(storage.hello.featuresField)
    own.set("jobs", storage.jobs.appendingCount)
    try await channel.sendFrame(.listing, own.encoded())
    for place in storage.devices.places {
      var line = ControlLine("device")
      line.set("name", place.name)
      line.set("media-type", place.mediaType)
      line.set("archive", place.archive)
      line.set("jobs", storage.devices.jobCount(of: place.name))
      line.set("job-limit", place.concurrentJobLimit)
      try await channel.sendFrame(.listing, line.encoded())
    }
    // A director sees its own jobs only.
    for job in storage.jobs.running where job.director == director {
      var line = ControlLine("device control record")
      line.set("device", job.device.place?.name ?? "")
      line.set("session", job.session.text)
      if let client = job.client { line.set("client", client) }
      try await channel.sendFrame(.listing, line.encoded())
    }
    try await channel.sendFrame(.jobEnd, Reply(.storageOK).line.encoded())
  }

  // MARK: Retention

  /// Writes down which jobs were dropped, and says which of the volumes offered may go.
  private func retain(_ line: ControlLine) async throws {
    let request = try await receiveRetention(line)
    let device = try device()
    let result = try await onThread(name: "vault-device") {
      try device.retain(request.records, giveUp: request.candidates, needed: request.sessions)
    }
    try await channel.sendReply(Reply(.storageOK))
    try await channel.sendFrame(.listing, VolumeList.encode(result.changed))
    try await channel.sendFrame(.listing, VolumeList.encode(result.free))
  }

  /// What comes behind a request to retain.
  ///
  /// Its calls are never inlined: the optimiser of Swift 6.3.1 fails on them inside the loops of an asynchronous function.
  private struct Retention: Sendable {
    var candidates: [Volume]
    var records: [[UInt8]] = []
    var sessions: [UniqueIdentifier: UInt64] = [:]
    let recordCount: UInt32
    let frameCount: UInt32

    @inline(never)
    init(_ line: ControlLine, _ volumes: [UInt8]) throws {
      candidates = try DirectorConversation.volumes(in: volumes)
      recordCount = try line.integer("records")
      frameCount = try line.integer("session-frames")
    }

    @inline(never)
    mutating func addSessions(_ frame: [UInt8]) throws {
      for needed in try frame.withUnsafeBytes({ try LocationCodec.neededSessions($0) }) {
        sessions[needed.session] = needed.lastGroup
      }
    }

    @inline(never)
    mutating func addRecord(_ bytes: [UInt8]) throws {
      records.append(try DirectorConversation.retentionRecord(bytes))
    }
  }

  private func receiveRetention(_ line: ControlLine) async throws -> Retention {
    var retention = try Retention(line, try await receive(.listing))
    for _ in 0..<retention.recordCount { try retention.addRecord(try await receiveRecord()) }
    for _ in 0..<retention.frameCount { try retention.addSessions(try await receive(.neededSessions)) }
    return retention
  }

  fileprivate static func volumes(in frame: [UInt8]) throws -> [Volume] {
    try frame.withUnsafeBytes { try VolumeList.decode($0) }
  }

  /// Only what a scan can read goes onto a volume.
  static func retentionRecord(_ bytes: [UInt8]) throws -> [UInt8] {
    try bytes.withUnsafeBytes { bytes in
      var reader = RecordReader(bytes)
      guard case .retention? = try reader.next(), try reader.next() == nil else {
        throw FormatError(.malformed, "retention record frame")
      }
    }
    return bytes
  }

  /// Removes volumes that the director's catalog calls purged.
  private func purge() async throws {
    let volumes = try Self.volumes(in: try await receive(.listing))
    let device = try device()
    try await onThread(name: "vault-device") { try device.purge(volumes) }
    try await channel.sendReply(Reply(.storageOK))
  }

  // MARK: Recovery

  private func recover() async throws {
    let frame = try await channel.receiveFrame()
    let known = try frame.payload.withUnsafeBytes { try VolumeList.decode($0) }
    let (channel, device) = (channel, try device())
    let report = try await onThread(name: "vault-device") { try device.recover(known: known) }
    chosen?.recovered()
    try await channel.sendReply(Reply(.storageOK))
    try await inFrames {
      try await onThread(name: "vault-attributes") {
        try RecoverySender(channel: channel, device: device).send(report)
      }
    }
  }
}
