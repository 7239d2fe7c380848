import Synchronization
import VaultConfiguration
import VaultMessages
import VaultModel
import VaultProtocol
import VaultSession

/// Takes what file and storage daemon tell during a job into the director's log.
///
/// A daemon may say what it likes: so much of it is taken as tells what happened, and nothing of it is about another job.
final class MessageRelay: Sendable {
  /// Messages of one daemon that are taken for one job.
  private static let limit = 1_000

  private let log: MessageLog
  private let job: JobNumber
  private let names: [PeerRole: String]
  private let counts = Mutex<[PeerRole: Int]>([:])

  /// - Parameter storage: the storage daemon whose messages are taken; nil for none.
  init(log: MessageLog, job: QueuedJob, storage: DirectorConfiguration.Storage? = nil) {
    self.log = log
    self.job = job.number
    var names: [PeerRole: String] = [.fileDaemon: job.client.peer.name]
    if let storage { names[.storageDaemon] = storage.peer.name }
    self.names = names
  }

  /// Takes one message of a daemon; a line that is none is passed over.
  @Sendable func take(_ role: PeerRole, _ line: ControlLine) {
    guard let name = names[role], let message = try? MessageLine(line) else { return }
    let count = counts.withLock { counts in
      counts[role, default: 0] += 1
      return counts[role, default: 0]
    }
    guard count <= Self.limit else { return }
    // A class of a later version is still something to be told.
    let messageClass = MessageClass(rawValue: message.messageClass) ?? .info
    log.tell(messageClass, job: message.isOfJob ? job : nil, "\(name): \(message.text)")
    if count == Self.limit { log.tell(.warning, job: job, "\(name) tells too much: the rest is not taken.") }
  }
}
