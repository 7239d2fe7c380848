import VaultModel
import VaultProtocol
import VaultSession

/// The jobs that wait and run, and who may run when.
///
/// A job begins when none of a better priority waits or runs, when none of its tree runs, and when the limits of the director, its
/// client, its storage and itself leave room. Jobs of one priority begin in the order of their numbers.
actor JobQueue {
  /// Jobs that wait or run at most.
  private static let lengthLimit = 10_000

  private let limit: Int
  private var jobs: [JobNumber: QueuedJob] = [:]
  private var watchers: [JobNumber: [Promise]] = [:]
  private var isClosed = false
  private let starts: AsyncStream<QueuedJob>.Continuation
  /// Jobs whose turn it is: whoever takes one runs it and calls `ended`.
  nonisolated let turns: AsyncStream<QueuedJob>

  /// A job's status once it is over.
  typealias Promise = VaultSession.Promise<JobStatus?>

  /// - Parameter limit: jobs at once.
  init(limit: Int) {
    self.limit = limit
    (turns, starts) = AsyncStream.makeStream()
  }

  // MARK: Consoles

  /// - Throws: `QueueRefusal.full`, `.closed`.
  func submit(_ job: QueuedJob) throws {
    guard !isClosed else { throw QueueRefusal.closed }
    // Consoles may go on with one interrupted job at the same moment: it runs once.
    guard jobs[job.number] == nil else { return }
    guard jobs.count < Self.lengthLimit else { throw QueueRefusal.full(Self.lengthLimit) }
    jobs[job.number] = job
    startWhatMay()
  }

  func job(_ number: JobNumber) -> QueuedJob? { jobs[number] }

  /// All jobs: those that run first, then those that wait, each in the order of their turns.
  func all() -> [QueuedJob] {
    jobs.values.sorted {
      ($0.state == .running ? 0 : 1, $0.priority, $0.number) < ($1.state == .running ? 0 : 1, $1.priority, $1.number)
    }
  }

  /// Takes a waiting job out, or tells a running one to stop.
  ///
  /// - Returns: the job as it was; nil when there is none.
  func cancel(_ number: JobNumber) -> QueuedJob? {
    guard let job = jobs[number] else { return nil }
    job.cancel.set()
    if job.state != .running { ended(number, .canceled) }
    return job
  }

  /// The status with which a job ends; nil when there is none of that number here, or the director ends before it.
  func end(of number: JobNumber) async -> JobStatus? {
    guard jobs[number] != nil, !isClosed else { return nil }
    let promise = Promise()
    watchers[number, default: []].append(promise)
    return await withTaskCancellationHandler {
      (try? await promise.value()) ?? nil
    } onCancel: {
      promise.fulfil(.success(nil))
    }
  }

  // MARK: Running jobs

  /// A job is over.
  func ended(_ number: JobNumber, _ status: JobStatus) {
    jobs[number] = nil
    for promise in watchers.removeValue(forKey: number) ?? [] { promise.fulfil(.success(status)) }
    startWhatMay()
  }

  /// No job begins any more; those that wait are let go, and stay to be continued.
  func close() {
    isClosed = true
    for job in jobs.values where job.state != .running { jobs[job.number] = nil }
    starts.finish()
  }

  /// Nobody waits for jobs any more: they did not end.
  func abandonWatchers() {
    for promise in watchers.values.flatMap({ $0 }) { promise.fulfil(.success(nil)) }
    watchers = [:]
  }

  // MARK: Turns

  private func startWhatMay() {
    guard !isClosed else { return }
    for job in all() where job.state != .running {
      if let wait = reasonToWait(job) {
        jobs[job.number]?.state = .waiting(wait)
      } else {
        jobs[job.number]?.state = .running
        if let started = jobs[job.number] { starts.yield(started) }
      }
    }
  }

  private func reasonToWait(_ job: QueuedJob) -> QueuedJob.Wait? {
    let others = jobs.values.filter { $0.number != job.number }
    let running = others.filter { $0.state == .running }
    if others.contains(where: { $0.priority < job.priority }) { return .priority }
    if running.contains(where: { $0.isSameTree(as: job) }) { return .job }
    if running.count(where: { $0.name == job.name }) >= job.concurrentJobLimit { return .job }
    if running.count(where: { $0.client.peer.name == job.client.peer.name }) >= job.client.concurrentJobLimit {
      return .client
    }
    if let storage = job.storage,
      running.count(where: { $0.storage?.peer.name == storage.peer.name }) >= storage.concurrentJobLimit
    {
      return .storage
    }
    return running.count >= limit ? .maximumJobs : nil
  }
}

extension QueuedJob {
  /// Two backups of one tree never run at the same time.
  fileprivate func isSameTree(as other: QueuedJob) -> Bool {
    kind == "backup" && other.kind == "backup" && tree == other.tree
  }
}

/// Why a job is not taken.
enum QueueRefusal: DescribedError, Hashable {
  case full(Int)
  case closed
  case noSuchResource(String, String)
  case notOfType(String, String)
  case disabled(String, String)
  case noPlace(String)
  case notRunning(JobNumber)
  case noVolumes
  case severalStorages([String])

  var exitStatus: ExitStatus {
    switch self {
    case .full: .inUse
    case .closed: .interrupted
    case .noSuchResource, .notRunning, .noVolumes: .notFound
    case .notOfType, .disabled, .noPlace, .severalStorages: .usage
    }
  }

  var description: String {
    switch self {
    case .full(let limit): "\(limit) jobs wait or run already; more are not taken."
    case .closed: "The director is ending: it takes no jobs."
    case .noSuchResource(let keyword, let name): "dir.conf has no \(keyword) called '\(name)'."
    case .notOfType(let name, let type): "Job '\(name)' is no \(type) job."
    case .disabled(let keyword, let name): "\(keyword) '\(name)' is not enabled."
    case .noPlace(let name): "Job '\(name)' has no storage with a device for its pool."
    case .notRunning(let number): "Job \(number) neither waits nor runs."
    case .noVolumes: "The catalog knows no volumes: nothing was saved yet."
    case .severalStorages(let names):
      "The volumes lie on several storage daemons (\(names.joined(separator: ", "))); name one of them."
    }
  }
}
