import Synchronization
import VaultProtocol
import VaultSystem

/// A group's place in the order of groups: made in order, filled by any worker, taken by the sequencer.
final class GroupSlot: Sendable {
  /// A group's bytes with the room for the header in front.
  enum Bytes: Sendable {
    case pooled(PooledBuffer)
    case owned([UInt8])
  }

  struct Group: Sendable {
    var header: GroupHeader
    var bytes: Bytes
  }

  private enum State {
    case waiting
    case ready(Group)
    case failed
  }

  private let state = Mutex(State.waiting)
  private let monitor = Monitor()

  func fill(_ group: Group) {
    state.withLock { $0 = .ready(group) }
    monitor.signal()
  }

  /// Nothing comes: the job is stopping.
  func fail() {
    state.withLock { if case .waiting = $0 { $0 = .failed } }
    monitor.signal()
  }

  /// The group, waiting for it; nil when none comes.
  func take() -> Group? {
    while true {
      let ticket = monitor.ticket()
      let result: Group?? = state.withLock { state in
        switch state {
        case .waiting: return nil
        case .ready(let group):
          state = .failed
          return .some(group)
        case .failed: return .some(nil)
        }
      }
      if let result { return result }
      monitor.wait(since: ticket)
    }
  }
}
