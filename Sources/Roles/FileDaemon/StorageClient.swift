import VaultModel
import VaultProtocol
import VaultSession

/// The file daemon's requests to a storage daemon, in seed 001's words.
struct StorageClient: Sendable {
  /// How often a request is made again because of notifications.
  private static let attemptLimit = 8
  /// Lines of a list that a reply announces at most.
  private static let lineLimit = 65_536

  let channel: Channel

  func openAppend(_ session: UniqueIdentifier) async throws -> ByteString {
    let verb = "append open session"
    let reply = try await request(ControlLine(verb, words: [ByteString(session.text)]))
    guard let ticket = reply.line["ticket"] else { throw ControlError(.missingField("ticket"), line: verb) }
    return ticket
  }

  /// Asks to send data; it follows on this connection as record groups.
  func beginData(_ ticket: ByteString) async throws {
    var line = ControlLine("append data", words: [ticket])
    line.set("here", "yes")
    try await request(line)
    try await channel.sendFrame(.streamHeader, Array("1 64 record-groups".utf8))
  }

  /// Says that the session is complete and waits until all of it is on stable storage.
  func closeAppend(_ ticket: ByteString) async throws {
    try await request(ControlLine("append end session", words: [ticket]))
    let reply = try await request(ControlLine("append close session", words: [ticket]))
    // Where it lies the director knows from the commits.
    try await receiveList("volumes", of: reply)
  }

  /// Asks, and once more when something else was to be told first.
  @discardableResult
  private func request(_ line: ControlLine) async throws -> Reply {
    for _ in 1..<Self.attemptLimit {
      try await channel.sendLine(line)
      let reply = try await channel.receiveReply()
      if reply.code == .storageOK { return reply }
      guard reply.code == .endOfVolume else { throw PeerRefusal(reply) }
      let pending = try await channel.request(ControlLine("Query notification"), expecting: .storageOK)
      try await receiveList("notifications", of: pending)
    }
    return try await channel.request(line, expecting: .storageOK)
  }

  /// Takes the lines that a reply announces.
  private func receiveList(_ count: String, of reply: Reply) async throws {
    guard let lines = reply.line[count]?.text.flatMap({ Int($0) }), (0...Self.lineLimit).contains(lines) else {
      throw ControlError(.malformedField(count), line: reply.line.verb)
    }
    for _ in 0..<lines { _ = try await channel.receiveLine() }
  }
}
