import VaultFileSet
import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

/// Walks and compares as a backup does, opens no file, and talks to nobody but the director.
struct EstimateJob: Sendable {
  let daemon: FileDaemon
  let order: EstimateOrder
  let director: Channel

  /// Runs to the end and says what a backup would do.
  func run() async -> Reply {
    do {
      // The walk's end of the conversation is a backup's: state, progress, and a wish to stop.
      let context = BackupContext(session: .random(), attempt: 0, workerCount: 1, clock: daemon.clock)
      let estimate = try await onThread(name: "vault-estimate") { try walk(context) }
      if let failure = context.failure { throw failure }
      var reply = Reply(.fileDaemonOK)
      reply.line.set("state", context.isStopping ? "stopped" : "complete")
      estimate.write(to: &reply.line)
      return reply
    } catch let error as any DescribedError {
      return Reply(.fileDaemonFailed, refusing: error)
    } catch {
      return Reply(.fileDaemonFailed, refusing: FileDaemonError(reason: "\(error)"))
    }
  }

  private func walk(_ context: BackupContext) throws -> BackupEstimate {
    let link = DirectorLink(channel: director, context: context)
    // It ends with the conversation, whose end is behind this job's.
    try WorkerThread(name: "vault-director") { link.run() }.detach()
    defer { link.end() }
    return try EstimateWalk.run(
      order: order, excluding: daemon.excludedDirectories, context: context, link: link, director: director)
  }
}
