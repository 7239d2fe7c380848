import VaultModel
import VaultProtocol
import VaultSession

/// The file daemon's requests to a storage daemon, in seed 001's words.
struct StorageClient: Sendable {
  let channel: Channel

  func openAppend(_ session: UniqueIdentifier) async throws -> ByteString {
    try await ticket("append open session", [ByteString(session.text)], .storageOK)
  }

  /// Asks to send data; it follows on this connection as record groups.
  func beginData(_ ticket: ByteString) async throws {
    try await channel.request(ControlLine("append data", words: [ticket]), expecting: .storageOK)
    try await channel.sendFrame(.streamHeader, Array("1 64 record-groups".utf8))
  }

  /// Says that the session is complete and waits until all of it is on stable storage.
  func closeAppend(_ ticket: ByteString) async throws {
    try await channel.request(ControlLine("append end session", words: [ticket]), expecting: .storageOK)
    try await channel.request(ControlLine("append close session", words: [ticket]), expecting: .storageOK)
  }

  private func ticket(_ verb: String, _ words: [ByteString], _ code: StatusCode) async throws -> ByteString {
    let reply = try await channel.request(ControlLine(verb, words: words), expecting: code)
    guard let ticket = reply.line["ticket"] else { throw ControlError(.missingField("ticket"), line: verb) }
    return ticket
  }
}
