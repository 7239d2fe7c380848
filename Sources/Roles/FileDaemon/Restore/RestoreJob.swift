import VaultCrypto
import VaultFileSet
import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

/// A restore on the file daemon's side: directories, then contents by several threads, then directories' attributes.
///
/// With nowhere to go it is a verification: contents are read and their digests compared, and nothing is written.
struct RestoreJob: Sendable {
  let daemon: FileDaemon
  let order: RestoreOrder
  let director: Channel

  /// Runs to the end and says how it went.
  func run() async -> Reply {
    do {
      let storages = try await StorageChannels.open(order.storages, daemon)
      defer { storages.close() }
      return try await onThread(name: "vault-restore") { try runThreads(storages) }
    } catch let error as any DescribedError {
      return Reply(.fileDaemonFailed, refusing: error)
    } catch {
      return Reply(.fileDaemonFailed, refusing: FileDaemonError(reason: "\(error)"))
    }
  }

  private func runThreads(_ storages: StorageChannels) throws -> Reply {
    let report = RestoreReport(
      director: director, clock: daemon.clock, isVerification: order.destination == .nowhere)
    let plan = RestorePlan(
      director: director, owners: OwnerNumbers(isNumeric: order.usesNumericOwners), strippedCount: order.strippedCount)
    let fetcher = BlockFetcher(
      storages: storages, restore: order.restore,
      buffers: BufferPool(bufferSize: 1 << 20, limit: 8 + 6 * daemon.workerCount))
    switch order.destination {
    case .directory(let path, let policy):
      let target = try RestoreTarget(path: path, policy: policy)
      let sync = RestoreSync(target, report)
      defer { sync.abandon() }
      let lists = ExtendedLists()
      let seed = UInt64.random(in: 0...UInt64.max)
      // Making a file and giving it its name take less than half of what its data take; where not, the workers help.
      let helperCount = (daemon.workerCount + 1) / 2
      let ahead = FilesAhead(target, threadCount: helperCount, randomSeed: seed)
      defer { ahead.finish() }
      let queue = RestoreQueue(capacity: 2 * daemon.workerCount)
      let behind = FilesBehind(
        FileNames(report: report, lists: lists), queue, threadCount: ahead.isAtWork ? helperCount : 0)
      // After the workers.
      defer { behind.finish() }
      try withWorkers(daemon.workerCount, queue) { number in
        var worker = try RestoreWorker(
          report: report, target: target, behind: behind, randomSeed: seed &+ UInt64(number) &* 0x1_0000_0001)
        worker.run(queue)
      } body: {
        let extended = try RestoreExtended(fetcher: fetcher, lists: lists, report: report)
        let directories = RestoreDirectories(
          writer: RestoreWriter(target: target, randomSeed: seed), extended: extended, report: report)
        try plan.forEachBatch(ofPass: 1, directories.create)
        let others = RestoreOthers(
          writer: RestoreWriter(target: target, randomSeed: ~seed), extended: extended, report: report)
        let contents = RestoreContents(
          fetcher: fetcher, others: others, report: report, queue: queue, ahead: ahead, hasher: try ContentHasher())
        try plan.forEachBatch(ofPass: 2, contents.restore)
        try contents.finish()
        ahead.finish()
        // Every entry of a directory is in place: its times stay now.
        if try !directories.finishKnown(contents.finish) { try plan.forEachBatch(ofPass: 3, directories.finish) }
      }
      report.tellUnset()
      if report.hasRestored { sync.finish() }
    case .trial(let path, let policy):
      let trial = RestoreTrial(
        examiner: RestoreExaminer(
          target: try RestoreTarget.existing(path: path, policy: policy), path: path, policy: policy),
        fetcher: fetcher, report: report, hasher: try ContentHasher())
      try plan.forEachBatch(ofPass: 1, trial.directories)
      try plan.forEachBatch(ofPass: 2, trial.contents)
    case .nowhere:
      let queue = RestoreQueue(capacity: 2 * daemon.workerCount)
      try withWorkers(daemon.workerCount, queue) { _ in
        var worker = try RestoreWorker(report: report, target: nil, behind: nil, randomSeed: 0)
        worker.run(queue)
      } body: {
        let contents = RestoreContents(
          fetcher: fetcher, others: nil, report: report, queue: queue, hasher: try ContentHasher())
        try plan.forEachBatch(ofPass: 2, contents.restore)
        try contents.finish()
      }
    case .stream:
      let queue = RestoreQueue(capacity: 2)
      try withWorkers(1, queue) { _ in
        var worker = try StreamWorker(report: report, director: director)
        worker.run(queue)
      } body: {
        let contents = RestoreContents(
          fetcher: fetcher, others: nil, report: report, queue: queue, hasher: try ContentHasher())
        try plan.forEachBatch(ofPass: 2, contents.restore)
        try contents.finish()
      }
    }
    return report.reply()
  }

  /// Runs `body` while workers take what it puts into the queue.
  private func withWorkers(
    _ count: Int, _ queue: RestoreQueue, _ work: @escaping @Sendable (Int) throws -> Void, body: () throws -> Void
  ) throws {
    let crew = WorkerCrew()
    defer {
      queue.finish()
      crew.join()
    }
    for number in 1...count {
      try crew.start(name: "vault-write-\(number)") {
        do { try work(number) } catch { queue.fail(error) }
      }
    }
    try body()
  }
}
