import VaultDevice
import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

// Read sessions. Source: seed 001, "SD Read Requests".
extension FileDaemonConversation {
  func openRead(_ line: ControlLine, _ sessions: inout OpenSessions) async throws {
    try sessions.checkRoom()
    guard let job = UniqueIdentifier(text: try line.word(0).text ?? ""), boundJob ?? job == job,
      let reader = storage.jobs.reader(job)
    else { throw StorageError(.unknownJob) }
    let request = try ReadRequest(line)
    try checkPassword(request.password, reader.password)
    guard reader.sessions?.contains(request.session) ?? true else { throw StorageError(.notFound) }
    let read = try await onThread(name: "vault-read") { try ReadSession(request, among: reader.devices) }
    let ticket = storage.jobs.nextTicket()
    sessions.reads[ticket] = read
    var reply = Reply(.readTicket)
    reply.line.set("ticket", ticket)
    try await channel.sendReply(reply)
  }

  func read(_ line: ControlLine, _ sessions: inout OpenSessions) async throws {
    let ticket = try OpenSessions.ticket(line)
    guard var session = sessions.reads[ticket] else { throw StorageError(.invalidTicket) }
    let address = try session.address(line)
    try session.advance(to: address)
    sessions.reads[ticket] = session
    let (channel, asked) = (channel, session)
    try await sessions.readThread().run { try asked.send(address, to: channel, $0) }
  }
}
