import Synchronization
import VaultModel
import VaultSystem

/// A group that was fetched: bytes inside a block that several groups may share.
struct FetchedGroup: Sendable {
  var block: PooledBuffer
  var range: Range<Int>
}

/// What a restore's workers do.
enum RestoreWork: Sendable {
  /// Contents that are empty or one hole.
  case withoutData([ContentItem])
  /// A group with whole contents, and the contents wanted of it, by index.
  case group(FetchedGroup, [UInt64: ContentItem])
  /// A content of many groups, which come in order.
  case large(ContentItem, BoundedQueue<FetchedGroup>)
  /// Directories that have no extended attributes and get their attributes, as everything is in them.
  case directories([PlanBatch.Row])
}

/// The work between a restore's main thread and its workers: a bounded queue that knows when a batch of the plan is done.
final class RestoreQueue: Sendable {
  /// Work, and the number of the batch that it is of.
  struct Item: Sendable {
    let work: RestoreWork
    let batch: UInt64
  }

  private struct State {
    /// Work of each batch that was handed over and is not done.
    var pending: [UInt64: Int] = [:]
    /// The first error that keeps a worker from its work.
    var failure: (any Error)?
  }

  private let queue: BoundedQueue<Item>
  private let state = Mutex(State())
  private let monitor = Monitor()

  /// - Parameter capacity: pieces of work that wait at most.
  init(capacity: Int) { queue = BoundedQueue(capacity: capacity) }

  /// Hands work over, waiting for room.
  ///
  /// - Throws: what the queue failed with.
  func push(_ work: RestoreWork, of batch: UInt64) throws {
    begin(batch)
    guard queue.push(Item(work: work, batch: batch)) else {
      done(batch)
      throw state.withLock { $0.failure } ?? BackupStopped()
    }
  }

  /// The next work, waiting for it; nil when there is no more.
  func pop() -> Item? { queue.pop() }

  /// Says that work of a batch goes on elsewhere: it counts until `done` is said of it, too.
  func begin(_ batch: UInt64) { state.withLock { $0.pending[batch, default: 0] += 1 } }

  /// Says that a piece of work of a batch is done.
  func done(_ batch: UInt64) {
    state.withLock { state in
      let left = state.pending[batch, default: 1] - 1
      state.pending[batch] = left == 0 ? nil : left
    }
    monitor.signal()
  }

  /// Waits until all work of a batch that was handed over is done.
  ///
  /// - Throws: what the queue failed with.
  func wait(for batch: UInt64) throws {
    while true {
      let ticket = monitor.ticket()
      let (isPending, failure) = state.withLock { ($0.pending[batch] != nil, $0.failure) }
      if let failure { throw failure }
      if !isPending { return }
      monitor.wait(since: ticket)
    }
  }

  /// No further work comes; what waits is still done.
  func finish() { queue.finish() }

  /// Work cannot go on: what waits is dropped, and whoever hands over or waits is told.
  func fail(_ error: any Error) {
    state.withLock { state in
      if state.failure == nil { state.failure = error }
    }
    for item in queue.cancel() {
      // Its parts' sender must not wait for a worker that does not come.
      if case .large(_, let parts) = item.work { parts.cancel() }
    }
    monitor.signal()
  }
}
