import VaultFileSet
import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

/// One attempt of a backup on the file daemon's side: threads for the walk, the workers, the sequencer and the director's words.
struct BackupJob: Sendable {
  let daemon: FileDaemon
  let order: BackupOrder
  let director: Channel

  /// Runs to the end and says how it went.
  func run() async -> Reply {
    do {
      let storage = try await daemon.openStorage(order.storage)
      defer { storage.close() }
      let client = StorageClient(channel: storage)
      let ticket = try await client.openAppend(order.session)
      try await client.beginData(ticket)
      let context = BackupContext(
        session: order.session, attempt: order.attempt, workerCount: daemon.workerCount, clock: daemon.clock)
      context.whenFailed { error in
        // What a storage daemon that gave up has to say is still received.
        if !(error is StorageEnded) { storage.close() }
      }
      let walked = try await onThread(name: "vault-backup") { try runThreads(context, storage) }
      if let failure = context.failure {
        guard let ended = failure as? StorageEnded else { throw failure }
        try await awaitCommits(storage)
        throw ended.error
      }
      // A slow medium may take its time now.
      if let silence = daemon.silence { storage.limitSilence(seconds: 5 * silence.seconds, poller: silence.poller) }
      try await awaitCommits(storage)
      try await client.closeAppend(ticket)
      var reply = Reply(.fileDaemonOK)
      reply.line.set("state", context.isStopping ? "stopped" : "complete")
      walked.counters.write(to: &reply.line)
      reply.line.set("excluded", walked.excludedCount)
      return reply
    } catch let refusal as PeerRefusal where refusal.code == .sessionAborted {
      // The director's to decide: another attempt onto another volume may succeed.
      return Reply(.sessionAborted, refusing: refusal)
    } catch let error as any DescribedError {
      return Reply(.fileDaemonFailed, refusing: error)
    } catch {
      return Reply(.fileDaemonFailed, refusing: FileDaemonError(reason: "\(error)"))
    }
  }

  /// Runs all stages; returns when every thread has ended.
  private func runThreads(
    _ context: BackupContext, _ storage: Channel
  ) throws -> (counters: JobCounters, excludedCount: UInt64) {
    let link = DirectorLink(channel: director, context: context)
    let progress = ProgressReporter(context: context, channel: director)
    let (daemon, order) = (daemon, order)
    // It ends with the conversation, whose end is behind this job's.
    try WorkerThread(name: "vault-director") { link.run() }.detach()
    let crew = WorkerCrew()
    var counters = JobCounters()
    var excludedCount: UInt64 = 0
    do {
      try crew.start(name: "vault-sequence") {
        var sequencer = Sequencer(
          context: context, channel: storage, firstGroup: order.nextGroup, progress: progress)
        sequencer.run()
      }
      for number in 1...daemon.workerCount {
        try crew.start(name: "vault-work-\(number)") {
          do {
            var worker = try BackupWorker(
              context: context, link: link, progress: progress, compression: order.compression)
            worker.run()
          } catch {
            context.fail(error)
          }
        }
      }
      (counters, excludedCount) = try BackupWalk.run(
        order: order, excluding: daemon.excludedDirectories, context: context, link: link, progress: progress)
    } catch {
      context.fail(error)
    }
    context.work.finish()
    context.order.finish()
    crew.join()
    link.end()
    counters.add(worked: context.counters)
    return (counters, excludedCount)
  }

  /// Receives acknowledgements until the storage daemon is done with the data: everything is durable then.
  ///
  /// - Throws: `PeerRefusal` with the storage daemon's reason when it aborted the session.
  private func awaitCommits(_ storage: Channel) async throws {
    while true {
      let (kind, payload) = try await storage.receiveFrame()
      switch kind {
      case .commitDurable: continue
      case .endOfCommits: return
      case .jobEnd:
        throw PeerRefusal(try Reply(try ControlLine(payload: payload)))
      default:
        throw TransportError(.malformed("a frame of kind \(kind) on a data channel"), peer: storage.transport.peer)
      }
    }
  }
}

/// An error of a job that has no better words of its own.
struct FileDaemonError: DescribedError {
  let reason: String
  var exitStatus: ExitStatus { .jobFailed }
  var description: String { "The file daemon gave up: \(reason)." }
}
