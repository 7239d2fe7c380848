import Synchronization
import VaultModel
import VaultSystem

/// What a hard-linked file's content turned out to be; later names of the inode wait for it.
final class LinkPromise: Sendable {
  enum Outcome: Sendable {
    case sealed(ContentReference, FileAttributes)
    /// It is sealed together with the other small files of its group: who asks before reads the file for himself.
    case later
    /// The first name could not be read, or changed meanwhile: each other name is read for itself.
    case failed
  }

  private let outcome = Mutex<Outcome?>(nil)
  private let monitor = Monitor()

  func fulfil(_ outcome: Outcome) {
    self.outcome.withLock { if $0 == nil { $0 = outcome } }
    monitor.signal()
  }

  /// The outcome, if it is known already.
  var settled: Outcome? { outcome.withLock { $0 } }

  /// The outcome, waiting for it: the first name lies in an earlier unit, or earlier in the same.
  func wait() -> Outcome {
    while true {
      let ticket = monitor.ticket()
      if let settled { return settled }
      monitor.wait(since: ticket)
    }
  }
}
