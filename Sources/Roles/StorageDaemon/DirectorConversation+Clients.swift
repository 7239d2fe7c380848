import VaultModel
import VaultProtocol
import VaultSession

// What a director lets clients read, and tells them.
extension DirectorConversation {
  /// What a line `read job` lets read: everything on the device, or the sessions that it names.
  func reader(_ line: ControlLine) throws -> JobTable.Reader {
    let named = line.all("session")
    let sessions = try named.map { text in
      guard let session = text.text.flatMap({ UniqueIdentifier(text: $0) }) else {
        throw ControlError(.malformedField("session"), line: line.verb)
      }
      return session
    }
    return JobTable.Reader(
      director: director, key: line["key"] == nil ? nil : try StorageRoute.key(line), client: line["client"]?.text,
      password: line["password"], sessions: named.isEmpty ? nil : Set(sessions))
  }

  /// Posts a notification to a client's connections for jobs of this director.
  func notify(_ line: ControlLine) async throws {
    guard let client = try line.word(0).text else { throw ControlError(.malformedField("client"), line: line.verb) }
    var reply = Reply(.storageOK)
    reply.line.set("connections", storage.post(try line.text("text"), to: client, of: director))
    try await channel.sendReply(reply)
  }
}
