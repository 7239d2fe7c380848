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
}

/// The work between a restore's main thread and its workers: a bounded queue that knows when a batch is done.
final class RestoreQueue: Sendable {
  private struct State {
    /// Work that was handed over and is not done.
    var pending = 0
    /// The first error that keeps a worker from its work.
    var failure: (any Error)?
  }

  private let queue: BoundedQueue<RestoreWork>
  private let state = Mutex(State())
  private let monitor = Monitor()

  /// - Parameter capacity: pieces of work that wait at most.
  init(capacity: Int) { queue = BoundedQueue(capacity: capacity) }

  /// Hands work over, waiting for room.
  ///
  /// - Throws: what the queue failed with.
  func push(_ work: RestoreWork) throws {
    state.withLock { $0.pending += 1 }
    guard queue.push(work) else {
      done()
      throw state.withLock { $0.failure } ?? BackupStopped()
    }
  }

  /// The next work, waiting for it; nil when there is no more.
  func pop() -> RestoreWork? { queue.pop() }

  /// Says that work which `pop` gave is done.
  func done() {
    state.withLock { $0.pending -= 1 }
    monitor.signal()
  }

  /// Waits until all work that was handed over is done.
  ///
  /// - Throws: what the queue failed with.
  func waitForAll() throws {
    while true {
      let ticket = monitor.ticket()
      let (pending, failure) = state.withLock { ($0.pending, $0.failure) }
      if let failure { throw failure }
      if pending == 0 { return }
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
    for work in queue.cancel() {
      // Its parts' sender must not wait for a worker that does not come.
      if case .large(_, let parts) = work { parts.cancel() }
    }
    monitor.signal()
  }
}
