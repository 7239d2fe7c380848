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
  /// Contents of no bytes.
  case empty([ContentItem])
  /// A group with whole contents, and the contents wanted of it, by index.
  case group(FetchedGroup, [UInt64: ContentItem])
  /// A content of many groups, which come in order.
  case large(ContentItem, BoundedQueue<FetchedGroup>)
}

/// Counts work that is under way, so that a batch can be waited for.
final class WorkCount: Sendable {
  private let count = Mutex(0)
  private let monitor = Monitor()

  func begin() { count.withLock { $0 += 1 } }

  func end() {
    count.withLock { $0 -= 1 }
    monitor.signal()
  }

  func waitForNone() {
    while true {
      let ticket = monitor.ticket()
      if count.withLock({ $0 == 0 }) { return }
      monitor.wait(since: ticket)
    }
  }
}
