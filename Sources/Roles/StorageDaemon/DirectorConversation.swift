import VaultDevice
import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

/// One director's connection: jobs announced and ended, commits handed over, recovery.
struct DirectorConversation: Sendable {
  let storage: StorageDaemon
  let channel: Channel

  func run() async throws {
    var announced: [AnnouncedJob] = []
    var readers: [UniqueIdentifier] = []
    var rewrite: VolumeRewrite?
    defer {
      rewrite?.abandon()
      // A director that goes takes its jobs with it: what they committed stays.
      for job in announced { storage.abort(job) }
      for reader in readers { storage.jobs.withdrawReader(reader) }
    }
    while let line = try await channel.receiveLine() {
      do {
        switch line.verb {
        case "job": announced.append(try await announce(line))
        case "end job": try await end(line)
        case "attribute data": try await sendCommits(line)
        case "read job":
          let job = try Self.identifier(line)
          storage.jobs.announceReader(job)
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
        case "noop": try await channel.sendReply(Reply(.storageOK))
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

  // MARK: Jobs

  private func announce(_ line: ControlLine) async throws -> AnnouncedJob {
    let record = try await receiveRecord()
    let session = try Self.identifier(line)
    let attempt: UInt32 = try line.integer("attempt")
    let lastCommit: UInt64 = try line.integer("last-commit")
    let limits = try CommitLimits(line)
    guard storage.jobs.appending(session) == nil else { throw StorageError(.sessionBusy) }
    let lastGroup = try line["last-group"].map { bytes in
      try bytes.bytes.withUnsafeBytes { raw in
        var reader = ByteReader(raw, "last group")
        return try LocationCodec.location(from: &reader)
      }
    }
    let device = storage.device
    let job = try await onThread(name: "vault-device") {
      let resume =
        lastCommit > 0 ? try device.resumeState(of: session, after: lastCommit, lastGroup: lastGroup) : nil
      return AnnouncedJob(
        session: session, limits: limits,
        record: try DeviceControlRecord(
          device: device, session: session, attempt: attempt, jobRecord: record, continuing: resume))
    }
    guard storage.jobs.announce(job) else {
      throw StorageError(.sessionBusy)
    }
    try await channel.sendReply(Reply(.storageOK))
    return job
  }

  private func end(_ line: ControlLine) async throws {
    let record = try await receiveRecord()
    let session = try Self.identifier(line)
    guard let job = storage.jobs.appending(session) else { throw StorageError(.unknownJob) }
    let volumes = try await onThread(name: "vault-device") { try job.record.endSession(jobEndRecord: record) }
    storage.jobs.withdraw(job)
    var reply = Reply(.storageOK)
    reply.line.set("volume", ByteString(VolumeList.encode(volumes)))
    try await channel.sendReply(reply)
  }

  /// Turns the connection into the channel that carries the session's commits to the director.
  private func sendCommits(_ line: ControlLine) async throws {
    guard let job = storage.jobs.appending(try Self.identifier(line)) else { throw StorageError(.unknownJob) }
    try await channel.sendReply(Reply(.storageOK))
    let (channel, device) = (channel, storage.device)
    try await inFrames {
      try await onThread(name: "vault-attributes") {
        let sender = CommitSender(channel: channel, device: device)
        while let commit = job.commits.pop() { try sender.send(OutgoingCommit(commit)) }
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

  // MARK: Retention

  /// Writes down which jobs were dropped, and says which of the volumes offered may go.
  private func retain(_ line: ControlLine) async throws {
    let request = try await receiveRetention(line)
    let device = storage.device
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
    let device = storage.device
    try await onThread(name: "vault-device") { try device.purge(volumes) }
    try await channel.sendReply(Reply(.storageOK))
  }

  // MARK: Recovery

  private func recover() async throws {
    let frame = try await channel.receiveFrame()
    let known = try frame.payload.withUnsafeBytes { try VolumeList.decode($0) }
    let (channel, device) = (channel, storage.device)
    let report = try await onThread(name: "vault-device") { try device.recover(known: known) }
    try await channel.sendReply(Reply(.storageOK))
    try await inFrames {
      try await onThread(name: "vault-attributes") {
        try RecoverySender(channel: channel, device: device).send(report)
      }
    }
  }
}

extension StorageDaemon {
  /// Ends a session that will not be closed in order: what no commit covers is dropped.
  func abort(_ job: AnnouncedJob) {
    job.record.abort()
    job.commits.finish()
    jobs.withdraw(job)
  }
}
