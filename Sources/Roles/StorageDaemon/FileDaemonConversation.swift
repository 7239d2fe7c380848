import VaultDevice
import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

/// One client's connection: append and read sessions in seed 001's words, several at a time.
struct FileDaemonConversation: Sendable {
  let storage: StorageDaemon
  let channel: Channel
  /// What the client calls itself.
  let client: String
  /// The only job that the connection serves; nil where connections are not bound to one.
  let boundJob: UniqueIdentifier?
  /// What the client is told at its next request.
  let mailbox: Mailbox

  func run() async throws {
    var sessions = OpenSessions()
    defer {
      for append in sessions.appends.values where append.session.state != .closed { abort(append) }
    }
    while let request = try await channel.receiveRequest() {
      do {
        try await answer(try request.get(), &sessions)
      } catch let error as TransportError {
        throw error
      } catch {
        try await channel.sendReply(.refusing(error))
      }
    }
  }

  private func answer(_ line: ControlLine, _ sessions: inout OpenSessions) async throws {
    // The seed writes some of its verbs with a capital.
    let verb = line.verb.lowercased()
    if verb == "query notification" { return try await tellNotifications() }
    guard mailbox.isEmpty || sessions.areAhead(of: line) else { throw StorageError(.notificationPending) }
    switch verb {
    case "append open session": try await open(line, &sessions)
    case "append data": try await data(line, &sessions)
    case "append end session": try await end(line, &sessions)
    case "append close session": try await close(line, &sessions)
    case "append abort session": try await abort(line, &sessions)
    case "read open session": try await openRead(line, &sessions)
    case "read data": try await read(line, &sessions)
    case "read close session":
      guard sessions.endRead(try OpenSessions.ticket(line)) else { throw StorageError(.invalidTicket) }
      try await channel.sendReply(Reply(.storageOK))
    case "noop": try await channel.sendReply(storage.hello.noopReply)
    default: throw StorageError(.unknownRequest(line.verb))
    }
  }

  /// Says what was posted, which is then forgotten.
  private func tellNotifications() async throws {
    let notifications = mailbox.take()
    var reply = Reply(.storageOK)
    reply.line.set("notifications", notifications.count)
    try await channel.sendReply(reply)
    for notification in notifications { try await channel.sendLine(notification.line) }
  }

  func checkPassword(_ given: ByteString?, _ wanted: ByteString?) throws(StorageError) {
    guard wanted == nil || given == wanted else { throw StorageError(.wrongPassword) }
  }
}

/// The sessions that one connection has open, by their tickets.
struct OpenSessions {
  struct Append {
    var session: AppendSession
    let job: AnnouncedJob
    /// The connection on which data comes; nil when there is none.
    var flow: DataFlow?
  }

  /// Sessions of one connection at most.
  static let limit = 64

  var appends: [UInt64: Append] = [:]
  var reads: [UInt64: ReadSession] = [:]
  /// Reads the blocks of all read sessions.
  private var reading: ReadThread?

  /// Ends a read session; false when there is none with the ticket. With the last one its thread goes.
  mutating func endRead(_ ticket: UInt64) -> Bool {
    guard reads.removeValue(forKey: ticket) != nil else { return false }
    if reads.isEmpty { reading = nil }
    return true
  }

  /// The thread that reads blocks, from the first one on.
  mutating func readThread() throws(SystemError) -> ReadThread {
    if let reading { return reading }
    let thread = try ReadThread()
    reading = thread
    return thread
  }

  func checkRoom() throws(StorageError) {
    guard appends.count + reads.count < Self.limit else { throw StorageError(.tooManySessions(Self.limit)) }
  }

  /// Whether a request comes from a client that asks ahead: it would not know which of its requests a notification answers.
  func areAhead(of line: ControlLine) -> Bool {
    if line["order"] == "any" { return true }
    guard let ticket = try? Self.ticket(line) else { return false }
    return reads[ticket]?.isInAnyOrder == true
  }

  /// The ticket that a request is about.
  static func ticket(_ line: ControlLine) throws -> UInt64 {
    guard let number = UInt64(try line.word(0).text ?? "") else { throw StorageError(.invalidTicket) }
    return number
  }

  /// An append session, with what has become of its data.
  mutating func append(_ ticket: UInt64) throws(StorageError) -> Append {
    guard var append = appends[ticket] else { throw StorageError(.invalidTicket) }
    switch append.flow?.outcome {
    case .complete?:
      append.flow = nil
      append.session.dataEnded()
    case .failed(let reason)?:
      append.flow = nil
      append.session.aborted(reason)
    case nil: break
    }
    appends[ticket] = append
    return append
  }
}
