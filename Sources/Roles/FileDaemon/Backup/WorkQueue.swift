import Synchronization
import VaultProtocol
import VaultSystem

/// A full raw group of a large file that waits for compression.
struct CompressionJob: Sendable {
  /// The room for the group's header, and its records.
  var raw: PooledBuffer
  var recordCount: UInt32
  var position: GroupEncoder.Position
  var slot: GroupSlot
}

/// What a worker takes next.
enum Work: Sendable {
  case compress(CompressionJob)
  case unit(BackupUnit)
}

/// Units in order, and compression of large files' pieces, which goes first: a large file's reader waits for it.
final class WorkQueue: Sendable {
  private struct State {
    var units: [BackupUnit] = []
    var compressions: [CompressionJob] = []
    var isFinished = false
    var isCancelled = false
    /// Workers that are inside a unit and may still make compression jobs.
    var busyCount = 0
  }

  private let state = Mutex(State())
  private let monitor = Monitor()
  private let unitLimit: Int
  private let compressionLimit: Int

  init(unitLimit: Int, compressionLimit: Int) {
    self.unitLimit = unitLimit
    self.compressionLimit = compressionLimit
  }

  /// Adds a unit, waiting for room; false when the job is stopping.
  func push(_ unit: BackupUnit) -> Bool {
    while true {
      let ticket = monitor.ticket()
      let pushed: Bool? = state.withLock { state in
        if state.isCancelled { return false }
        guard state.units.count < unitLimit else { return nil }
        state.units.append(unit)
        return true
      }
      if let pushed {
        if pushed { monitor.signal() }
        return pushed
      }
      monitor.wait(since: ticket)
    }
  }

  /// Offers a compression job; false when enough wait already and the caller does it itself.
  func offer(_ job: CompressionJob) -> Bool {
    let taken = state.withLock { state in
      guard !state.isCancelled, state.compressions.count < compressionLimit else { return false }
      state.compressions.append(job)
      return true
    }
    if taken { monitor.signal() }
    return taken
  }

  /// The next thing to do, waiting for it; nil when there is no more.
  func next() -> Work? {
    while true {
      let ticket = monitor.ticket()
      let work: Work?? = state.withLock { state in
        if state.isCancelled { return .some(nil) }
        if !state.compressions.isEmpty { return .some(.compress(state.compressions.removeFirst())) }
        if !state.units.isEmpty {
          state.busyCount += 1
          return .some(.unit(state.units.removeFirst()))
        }
        return state.isFinished && state.busyCount == 0 ? .some(nil) : nil
      }
      if let work {
        monitor.signal()
        return work
      }
      monitor.wait(since: ticket)
    }
  }

  /// A compression job, waiting for one; nil when the job is stopping, or as soon as the caller need not wait any longer.
  ///
  /// - Parameter isDue: looked at when something changes; who changes what it looks at says so with `wake`.
  func nextCompression(unless isDue: () -> Bool) -> CompressionJob? {
    while true {
      let ticket = monitor.ticket()
      if isDue() { return nil }
      let job: CompressionJob?? = state.withLock { state in
        if state.isCancelled { return .some(nil) }
        return state.compressions.isEmpty ? nil : .some(state.compressions.removeFirst())
      }
      if let job { return job }
      monitor.wait(since: ticket)
    }
  }

  /// Lets those who wait look again.
  func wake() { monitor.signal() }

  /// A worker is done with a unit.
  func finishedUnit() {
    state.withLock { $0.busyCount -= 1 }
    monitor.signal()
  }

  /// No further units come.
  func finish() {
    state.withLock { $0.isFinished = true }
    monitor.signal()
  }

  /// Everything stops: jobs and units that wait are dropped, their slots fail.
  func cancel() {
    let (jobs, units) = state.withLock { state in
      state.isCancelled = true
      defer {
        state.compressions = []
        state.units = []
      }
      return (state.compressions, state.units)
    }
    for job in jobs { job.slot.fail() }
    for unit in units { unit.abandon() }
    monitor.signal()
  }
}
