import VaultDevice
import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

/// The connection of one append session's data: its first line is the ticket, then come frames.
struct DataConnection: Sendable {
  let storage: StorageDaemon
  let channel: Channel
  let flow: DataFlow

  /// Receives until the data's end; what fails aborts the session.
  func run() async throws {
    // As long as it has not begun, the client may ask for another connection.
    defer { _ = flow.takeBack() }
    guard let line = try await channel.receiveLine() else { return }
    guard line.verb == "data", line.words.first == ByteString(String(flow.ticket)), flow.begin(on: channel) else {
      return try await channel.sendReply(.refusing(StorageError(.invalidTicket)))
    }
    let (channel, flow, storage) = (channel, flow, storage)
    do {
      try await channel.sendReply(Reply(.storageOK, "OK data"))
      try await onThread(name: "vault-append") {
        flow.job.connection.withLock { $0 = channel }
        defer { flow.job.connection.withLock { $0 = nil } }
        var stream = AppendStream(channel: channel, job: flow.job, clock: storage.clock)
        try stream.run()
      }
      flow.end(.complete)
      try await channel.sendFrame(.endOfCommits, [])
    } catch {
      // Who is to hear of it hears it before the session's end ends the way there.
      storage.notify(flow.job, of: error)
      storage.abort(flow.job)
      // A peer that is gone hears nothing of it.
      try? await channel.sendFrame(.jobEnd, Reply.refusing(StorageError.abortion(error)).line.encoded())
      flow.end(.failed("\(error)"))
    }
  }
}
