import Synchronization
import VaultModel
import VaultProtocol

/// What a client is to be told at its next request. Source: seed 001, "SD Connections and Sessions".
struct Notification: Hashable, Sendable {
  var time: Timestamp
  var text: String

  /// The line of the list that `Query notification` answers.
  var line: ControlLine {
    var line = ControlLine("Notification")
    line.set("time", time.nanoseconds)
    line.set("text", text)
    return line
  }
}

/// The notifications of one connection that nobody asked for yet.
final class Mailbox: Sendable {
  /// The oldest make place for those that come later.
  static let limit = 64

  private let pending = Mutex<[Notification]>([])

  var isEmpty: Bool { pending.withLock { $0.isEmpty } }

  func post(_ notification: Notification) {
    pending.withLock { pending in
      if pending.count == Self.limit { pending.removeFirst() }
      pending.append(notification)
    }
  }

  /// All of them, which are then told.
  func take() -> [Notification] {
    pending.withLock { pending in
      defer { pending = [] }
      return pending
    }
  }
}

/// The mailboxes of the clients that are connected.
final class MailboxTable: Sendable {
  private struct Box: Sendable {
    var client: String
    /// The director whose job the connection is for; nil where connections are not bound to one.
    var director: String?
    var mailbox: Mailbox
  }

  private let boxes = Mutex<[Box]>([])

  func add(_ mailbox: Mailbox, of client: String, director: String?) {
    boxes.withLock { $0.append(Box(client: client, director: director, mailbox: mailbox)) }
  }

  func remove(_ mailbox: Mailbox) { boxes.withLock { $0.removeAll { $0.mailbox === mailbox } } }

  /// Posts to every connection that a client has for a director's jobs.
  ///
  /// - Returns: how many there are.
  func post(_ notification: Notification, to client: String, of director: String) -> Int {
    let found = boxes.withLock { boxes in
      boxes.filter { $0.client == client && $0.director ?? director == director }.map(\.mailbox)
    }
    for mailbox in found { mailbox.post(notification) }
    return found.count
  }
}
