import Synchronization
import VaultConfiguration
import VaultModel
import VaultSystem

/// What a file or storage daemon tells of one job that it does for a director.
///
/// It goes where the daemon's own messages go; a route to the job's director leads along the job's connection, and so do
/// messages of the daemon itself as long as the job goes on. Telling never waits: what the connection does not take in time
/// goes to the daemon's log.
package final class JobMessages: Sendable {
  /// Messages that wait for the connection at most.
  private static let waitingLimit = 256

  let director: String
  let number: JobNumber?
  private let log: MessageLog
  private let waiting = BoundedQueue<Message>(capacity: JobMessages.waitingLimit)
  private let isCarried = Atomic(false)
  /// Counts the end of the thread that sends.
  private let ended = Monitor()
  private let hasEnded = Atomic(false)

  init(log: MessageLog, director: String, number: JobNumber?) {
    self.log = log
    self.director = director
    self.number = number
  }

  /// Tells something of the job.
  package func tell(_ messageClass: MessageClass, _ text: String) { log.tell(messageClass, of: self, text) }

  /// Begins to send what is routed to the director; without a route nothing begins. `end` must follow.
  ///
  /// - Parameter send: sends one message; may block, on a thread of its own.
  package func carry(_ send: @escaping @Sendable (Message) throws -> Void) {
    guard log.leads(to: director) else { return }
    do throws(SystemError) {
      let thread = try WorkerThread(name: "vault-tell") { [self] in
        while let message = waiting.pop() {
          do { try send(message) } catch { log.keep(message) }
        }
        hasEnded.store(true, ordering: .releasing)
        ended.signal()
      }
      thread.detach()
      isCarried.store(true, ordering: .releasing)
      log.opened(self)
    } catch {
      // Without a thread messages stay here: the daemon's log has them.
      log.tell(.warning, "\(error)")
    }
  }

  /// Takes a message for the director; false when it cannot be sent.
  func offer(_ message: Message) -> Bool {
    isCarried.load(ordering: .acquiring) && waiting.pushIfRoom(message)
  }

  /// Sends what was told before, and ends. Blocks its thread.
  package func end() {
    guard isCarried.load(ordering: .acquiring) else { return }
    log.closed(self)
    waiting.finish()
    while true {
      let ticket = ended.ticket()
      if hasEnded.load(ordering: .acquiring) { return }
      ended.wait(since: ticket)
    }
  }
}
