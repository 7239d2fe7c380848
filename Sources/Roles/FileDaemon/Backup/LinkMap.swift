import Synchronization
import VaultModel
import VaultSystem

/// What a hard-linked file's content turned out to be; later names of the inode wait for it.
final class LinkPromise: Sendable {
  enum Outcome: Sendable {
    case sealed(ContentReference, FileAttributes)
    /// The first name could not be read, or changed meanwhile: each other name is read for itself.
    case failed
  }

  private let outcome = Mutex<Outcome?>(nil)
  private let monitor = Monitor()

  func fulfil(_ outcome: Outcome) {
    self.outcome.withLock { if $0 == nil { $0 = outcome } }
    monitor.signal()
  }

  /// The outcome, waiting for it: the first name lies in an earlier unit, or earlier in the same.
  func wait() -> Outcome {
    while true {
      let ticket = monitor.ticket()
      if let outcome = outcome.withLock({ $0 }) { return outcome }
      monitor.wait(since: ticket)
    }
  }
}

/// The inodes with several names that this job has met and whose names it has not all met: device and inode to promise.
///
/// The walker's alone. An inode leaves when its last name was met.
struct LinkMap {
  private struct Key: Hashable {
    var device: UInt64
    var inode: UInt64
  }

  private struct Value {
    var promise: LinkPromise
    var namesLeft: UInt32
  }

  private var links: [Key: Value] = [:]

  enum Meeting {
    case first(LinkPromise)
    case again(LinkPromise)
  }

  /// Notes that a name of the inode was met.
  mutating func meet(_ attributes: FileAttributes) -> Meeting {
    let key = Key(device: attributes.device, inode: attributes.inode)
    if var value = links[key] {
      value.namesLeft -= 1
      links[key] = value.namesLeft == 0 ? nil : value
      return .again(value.promise)
    }
    let promise = LinkPromise()
    links[key] = Value(promise: promise, namesLeft: attributes.linkCount - 1)
    return .first(promise)
  }
}
