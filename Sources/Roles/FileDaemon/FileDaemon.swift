import VaultFileSet
import VaultMessages
import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

/// The file daemon: reads the client's files for backups and writes them in restores.
///
/// `run()` serves directors until its listener closes.
package struct FileDaemon: Sendable {
  /// Dials the storage daemon of a job; the way to it is nil where there is only one.
  package typealias StorageDialler = @Sendable (StorageRoute?) async throws -> Channel

  let dialStorage: StorageDialler
  let clock: any VaultClock
  let workerCount: Int
  /// Directories that are never backed up, by device and inode: the repository itself.
  let excludedDirectories: [FileIdentity]
  /// Jobs read and write only below these; empty for everywhere.
  let allowedDirectories: [ByteString]
  let jobs: FileJobTable
  let log: MessageLog?
  let activity: PeerActivity
  /// After how long a storage daemon that takes or gives nothing counts as lost, and who looks after it; nil where it cannot be.
  let silence: (seconds: UInt64, poller: Poller)?
  /// What is done whenever a job's work here has ended.
  private let onJobEnd: @Sendable () -> Void
  private let hello: Hello
  /// On which terms a director is served; nil for one that is not configured.
  private let terms: @Sendable (Hello) -> PeerTerms?

  package init(
    name: String, clock: any VaultClock, workerCount: Int, excludedDirectories: [FileIdentity],
    allowedDirectories: [ByteString] = [], jobLimit: Int? = nil, log: MessageLog? = nil,
    peerTimeoutSeconds: UInt64 = 60, poller: Poller? = nil, onJobEnd: @escaping @Sendable () -> Void = {},
    terms: @escaping @Sendable (Hello) -> PeerTerms? = { _ in PeerTerms() }, dialStorage: @escaping StorageDialler
  ) {
    self.onJobEnd = onJobEnd
    self.allowedDirectories = allowedDirectories
    self.log = log
    self.terms = terms
    activity = PeerActivity(timeoutSeconds: peerTimeoutSeconds, clock: clock)
    silence = poller.map { (peerTimeoutSeconds, $0) }
    jobs = FileJobTable(limit: jobLimit)
    self.dialStorage = dialStorage
    self.clock = clock
    self.workerCount = max(1, workerCount)
    self.excludedDirectories = excludedDirectories
    hello = Hello(role: .fileDaemon, name: name)
  }

  /// Serves until the listener closes.
  package func run(_ listener: any Listener) async {
    await withDiscardingTaskGroup { group in
      while let transport = await listener.accept() {
        group.addTask {
          let channel = Channel(transport)
          // Threads of a job wait for the peer itself: only the end of the conversation wakes them.
          await withTaskCancellationHandler {
            await serve(channel)
          } onCancel: {
            channel.close()
          }
        }
      }
      group.cancelAll()
    }
  }

  private func serve(_ channel: Channel) async {
    await serve(channel) { try await hello.answer(channel, allowing: [.director], terms: terms) }
  }

  /// Serves a director that this side has dialled; both have said hello.
  func serve(_ channel: Channel, dialled director: String) async {
    // A director that takes connections of clients takes messages of jobs as well.
    await serve(channel) { Hello(role: .director, name: director) }
  }

  private func serve(_ channel: Channel, _ greet: () async throws -> Hello?) async {
    defer { channel.close() }
    do {
      guard let peer = try await greet() else { return }
      while let line = try await channel.receiveLine() {
        activity.heard(peer.name, intervalSeconds: line["interval"]?.text.flatMap { UInt64($0) })
        switch line.verb {
        // A connection carries one job, and ends with it.
        case "backup": return try await backup(line, channel, peer)
        case "estimate": return try await estimate(line, channel)
        case "restore": return try await restore(line, channel, peer)
        case "verify": return try await verify(line, channel)
        case "status": try await status(channel)
        case "noop": try await channel.sendReply(hello.noopReply)
        default:
          try await channel.sendReply(
            Reply(.fileDaemonFailed, refusing: ControlError(.malformedLine, line: line.verb)))
        }
      }
    } catch let error as any DescribedError
      where error is ControlError || error is ExclusionPatternError || error is FileJobRefusal
    {
      // An order that cannot be read is answered before the conversation ends.
      try? await channel.sendReply(Reply(.fileDaemonFailed, refusing: error))
    } catch {
      // The director is gone or cannot be understood; its jobs ended with their own channels.
      if let text = PeerComplaint.text(about: error, from: channel.transport.peer) { log?.tell(.security, text) }
    }
  }

  private func backup(_ line: ControlLine, _ channel: Channel, _ director: Hello) async throws {
    let (paths, patterns) = (try await receiveList(.paths, channel), try await receiveList(.patterns, channel))
    let order = try BackupOrder(line, paths: paths, patterns: patterns)
    for path in paths { try await refuseOutside(path) }
    try await run("backup", line, channel, director) {
      await BackupJob(daemon: self, order: order, director: channel).run()
    }
  }

  private func estimate(_ line: ControlLine, _ channel: Channel) async throws {
    let (paths, patterns) = (try await receiveList(.paths, channel), try await receiveList(.patterns, channel))
    let order = try EstimateOrder(line, paths: paths, patterns: patterns)
    try await channel.sendReply(Reply(.fileDaemonOK))
    let reply = await EstimateJob(daemon: self, order: order, director: channel).run()
    try await channel.sendFrame(.jobEnd, reply.line.encoded())
  }

  private func receiveList(_ kind: FrameKind, _ channel: Channel) async throws -> [ByteString] {
    let frame = try await channel.receiveFrame()
    guard frame.kind == kind else {
      throw TransportError(
        .malformed("a frame of kind \(frame.kind) where \(kind) belong"), peer: channel.transport.peer)
    }
    return try frame.payload.withUnsafeBytes { try PathList.decode($0) }
  }

  /// Takes what comes behind a request of the several storage daemons that a restore reads from.
  private func receiveShares(_ line: ControlLine, _ channel: Channel) async throws -> [StorageShare]? {
    guard let count = try RestoreOrder.storageCount(line) else { return nil }
    var shares: [StorageShare] = []
    for _ in 0..<count {
      let frame = try await channel.receiveFrame()
      shares.append(try Self.share(frame.kind, frame.payload, from: channel))
    }
    return shares
  }

  /// Never inlined: the optimiser of Swift 6.3.1 fails on its calls inside the loop of an asynchronous function.
  @inline(never)
  private static func share(_ kind: FrameKind, _ payload: [UInt8], from channel: Channel) throws -> StorageShare {
    guard kind == .storageRoute else {
      throw TransportError(
        .malformed("a frame of kind \(kind) where storage routes belong"), peer: channel.transport.peer)
    }
    return try StorageShare(payload: payload)
  }

  private func restore(_ line: ControlLine, _ channel: Channel, _ director: Hello) async throws {
    let order = try RestoreOrder(line, shares: try await receiveShares(line, channel))
    switch order.destination {
    case .directory(let path, _), .trial(let path, _): try await refuseOutside(path)
    case .stream, .nowhere: break
    }
    try await run("restore", line, channel, director) {
      await RestoreJob(daemon: self, order: order, director: channel).run()
    }
  }

  /// Runs a job that the director's limits and its log know of, from the answer to its order to its end.
  private func run(
    _ kind: String, _ line: ControlLine, _ channel: Channel, _ director: Hello, _ body: () async -> Reply
  ) async throws {
    let number = line["number"]?.text
    let ticket = try jobs.begin(kind, number: number, director: director.name) { channel.close() }
    defer {
      jobs.end(ticket)
      onJobEnd()
    }
    try await channel.sendReply(Reply(.fileDaemonOK))
    let messages = log?.job(number.flatMap { JobNumber($0) }, of: director.name)
    if director.takesMessages {
      messages?.carry { message in
        try message.frame.withUnsafeBytes { try channel.sendFrameBlocking(.message, $0) }
      }
    }
    messages?.tell(.info, "A \(kind) of director \(director.name) begins.")
    let reply = await body()
    if reply.code == .fileDaemonOK {
      messages?.tell(.info, "The \(kind) ends.")
    } else {
      messages?.tell(.error, "The \(kind) is given up: \(reply.line["reason"]?.text ?? "no reason is known.")")
    }
    if let messages {
      // The job's end is said, thread or no thread.
      do { try await onThread(name: "vault-tell") { messages.end() } } catch { messages.end() }
    }
    try await channel.sendFrame(.jobEnd, reply.line.encoded())
  }

  /// A restore of every content that writes nothing: only digests are compared.
  private func verify(_ line: ControlLine, _ channel: Channel) async throws {
    guard let name = UniqueIdentifier(text: try line.word(0).text ?? "") else {
      throw ControlError(.malformedField("verify"), line: line.verb)
    }
    defer { onJobEnd() }
    try await channel.sendReply(Reply(.fileDaemonOK))
    let reply = await RestoreJob(
      daemon: self, order: RestoreOrder(verifying: name, try StorageRoute(line)), director: channel
    ).run()
    try await channel.sendFrame(.jobEnd, reply.line.encoded())
  }

  /// Says what runs here.
  private func status(_ channel: Channel) async throws {
    let running = jobs.running
    var reply = Reply(.fileDaemonOK)
    reply.line.set("version", Hello.version)
    reply.line.fields.append(hello.featuresField)
    reply.line.set("jobs", running.count)
    for job in running { reply.line.set("running", job.text) }
    try await channel.sendReply(reply)
  }

  /// Refuses a path outside of what the configuration allows, where links lead included.
  private func refuseOutside(_ path: ByteString) async throws {
    let allowed = allowedDirectories
    guard !allowed.isEmpty else { return }
    let isInside = try await onThread(name: "vault-paths") {
      let real = RealPath.resolving(path)
      return allowed.contains { RealPath.isWithin(real, RealPath.resolving($0)) }
    }
    guard isInside else { throw FileJobRefusal.outside(path) }
  }

  /// Ends the jobs of directors that have been silent for too long.
  func endLost() {
    for job in jobs.running where activity.isLost(job.director) {
      log?.tell(.warning, "Director \(job.director) gives no sign of life: its \(job.kind) is given up.")
      job.end()
    }
  }

  /// Dials the storage daemon of a job.
  func openStorage(_ route: StorageRoute?) async throws -> Channel {
    let channel = try await dialStorage(route)
    if let silence { channel.limitSilence(seconds: silence.seconds, poller: silence.poller) }
    return channel
  }
}
