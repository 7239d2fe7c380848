import Synchronization
import VaultModel
import VaultSystem

/// What all threads of one backup share.
final class BackupContext: Sendable {
  let session: UniqueIdentifier
  let attempt: UInt32
  let clock: any VaultClock
  let work: WorkQueue
  /// Units in the order of their groups.
  let order: BoundedQueue<BackupUnit>
  /// Raw bytes of data groups.
  let rawBuffers: BufferPool
  /// Groups on their way to the sequencer.
  let groupBuffers: BufferPool
  /// Lists of extended attributes that this attempt carries already.
  let lists = CarriedLists()
  private let state = Mutex(State())
  private let stopping = Atomic(false)

  private struct State {
    var counters = JobCounters()
    var failure: (any Error)?
    var onFailure: (@Sendable (any Error) -> Void)?
  }

  /// Units between walker and sequencer at most: with their outputs they bound the memory.
  static func unitLimit(workerCount: Int) -> Int { 2 * workerCount + 2 }

  init(session: UniqueIdentifier, attempt: UInt32, workerCount: Int, clock: any VaultClock) {
    self.session = session
    self.attempt = attempt
    self.clock = clock
    let units = Self.unitLimit(workerCount: workerCount)
    work = WorkQueue(unitLimit: units, compressionLimit: 2 * workerCount)
    order = BoundedQueue(capacity: units)
    // Every unit in flight may hold its outputs and one more group in a worker's hand.
    groupBuffers = BufferPool(bufferSize: 1 << 20, limit: (units + workerCount) * (BackupUnit.outputLimit + 1))
    rawBuffers = BufferPool(bufferSize: 1 << 20, limit: workerCount * (BackupUnit.outputLimit + 2))
  }

  // MARK: Counting

  /// Adds what a worker counted in one unit.
  func add(_ counters: JobCounters) {
    state.withLock { $0.counters.add(worked: counters) }
  }

  /// What the workers counted so far.
  var counters: JobCounters { state.withLock { $0.counters } }

  // MARK: Ending

  /// Whether no further units are to be begun: what is in flight is still sent.
  var isStopping: Bool { stopping.load(ordering: .relaxed) }

  /// Stops in order: the walker ends, what is in flight is sent and committed.
  func stop() { stopping.store(true, ordering: .relaxed) }

  /// Stops at once for an error: all threads end.
  func fail(_ error: any Error) {
    let onFailure = state.withLock { state in
      if state.failure == nil { state.failure = error }
      return state.onFailure.take()
    }
    stop()
    work.cancel()
    // Workers inside these units must not wait for a sequencer that does not come.
    for unit in order.cancel() { unit.outputs.cancel() }
    rawBuffers.cancel()
    groupBuffers.cancel()
    onFailure?(error)
  }

  /// Calls `body` when the job stops for an error: whoever waits outside of the context's queues must not go on waiting.
  func whenFailed(_ body: @escaping @Sendable (any Error) -> Void) {
    let failure = state.withLock { state in
      if state.failure == nil { state.onFailure = body }
      return state.failure
    }
    if let failure { body(failure) }
  }

  /// The first error that stopped the job.
  var failure: (any Error)? { state.withLock { $0.failure } }
}
