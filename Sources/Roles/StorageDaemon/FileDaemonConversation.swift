import VaultDevice
import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

/// One file daemon's connection: append and read sessions in seed 001's words, several at a time.
struct FileDaemonConversation: Sendable {
  let storage: StorageDaemon
  let channel: Channel
  /// The only job that the connection serves; nil where connections are not bound to one.
  let boundJob: UniqueIdentifier?

  private struct Sessions {
    var nextTicket: UInt64 = 1
    var appends: [UInt64: Append] = [:]
    var reads: [UInt64: ReadSession] = [:]
  }

  private struct Append {
    var session: AppendSession
    let job: AnnouncedJob
  }

  func run() async throws {
    var sessions = Sessions()
    defer {
      for append in sessions.appends.values {
        append.job.connection.withLock { $0 = nil }
        if append.session.state != .closed { storage.abort(append.job) }
      }
    }
    while let line = try await channel.receiveLine() {
      do {
        try await answer(line, &sessions)
      } catch let error as TransportError {
        throw error
      } catch {
        try await channel.sendReply(.refusing(error))
      }
    }
  }

  private func answer(_ line: ControlLine, _ sessions: inout Sessions) async throws {
    switch line.verb {
    case "append open session": try await open(line, &sessions)
    case "append data": try await data(line, &sessions)
    case "append end session":
      let ticket = try Self.ticket(line)
      guard sessions.appends[ticket] != nil else { throw StorageError(.invalidTicket) }
      try sessions.appends[ticket]?.session.endRequested()
      try await channel.sendReply(Reply(.storageOK))
    case "append close session": try await close(line, &sessions)
    case "append abort session":
      let ticket = try Self.ticket(line)
      guard let append = sessions.appends[ticket] else { throw StorageError(.invalidTicket) }
      storage.abort(append.job)
      sessions.appends[ticket]?.session.aborted("the file daemon asked for it")
      try await channel.sendReply(Reply(.storageOK))
    case "read open session": try await openRead(line, &sessions)
    case "read data": try await read(line, &sessions)
    case "read close session":
      guard sessions.reads.removeValue(forKey: try Self.ticket(line)) != nil else { throw StorageError(.invalidTicket) }
      try await channel.sendReply(Reply(.storageOK))
    case "Query notification": try await channel.sendReply(Reply(.storageOK))
    case "noop": try await channel.sendReply(storage.hello.noopReply)
    default: throw StorageError(.unknownRequest(line.verb))
    }
  }

  private static func ticket(_ line: ControlLine) throws -> UInt64 {
    guard let number = UInt64(try line.word(0).text ?? "") else { throw StorageError(.invalidTicket) }
    return number
  }

  // MARK: Append

  private func open(_ line: ControlLine, _ sessions: inout Sessions) async throws {
    guard let identifier = UniqueIdentifier(text: try line.word(0).text ?? ""), boundJob ?? identifier == identifier,
      let job = storage.jobs.appending(identifier)
    else { throw StorageError(.unknownJob) }
    guard !sessions.appends.values.contains(where: { $0.job === job }) else { throw StorageError(.sessionBusy) }
    let ticket = sessions.nextTicket
    sessions.nextTicket += 1
    sessions.appends[ticket] = Append(session: AppendSession(job: identifier), job: job)
    job.connection.withLock { $0 = channel }
    try await channel.sendReply(
      Reply(.storageOK, "OK", fields: [.init(key: "ticket", value: ByteString(String(ticket)))]))
  }

  private func data(_ line: ControlLine, _ sessions: inout Sessions) async throws {
    let ticket = try Self.ticket(line)
    guard let job = sessions.appends[ticket]?.job else { throw StorageError(.invalidTicket) }
    try sessions.appends[ticket]?.session.dataRequested()
    // Port 0: the data follows on this connection.
    try await channel.sendReply(
      Reply(.storageOK, "OK data", fields: [.init(key: "address", value: "0.0.0.0"), .init(key: "port", value: "0")]))
    let (channel, clock) = (channel, storage.clock)
    do {
      try await onThread(name: "vault-append") {
        var stream = AppendStream(channel: channel, job: job, clock: clock)
        try stream.run()
      }
      try await channel.sendFrame(.endOfCommits, [])
    } catch {
      sessions.appends[ticket]?.session.aborted("\(error)")
      storage.abort(job)
      try await channel.sendFrame(.jobEnd, Reply.refusing(StorageError.abortion(error)).line.encoded())
      // What the file daemon has sent meanwhile are frames, not requests: this conversation cannot go on.
      throw TransportError(.closed, peer: channel.transport.peer)
    }
  }

  private func close(_ line: ControlLine, _ sessions: inout Sessions) async throws {
    let ticket = try Self.ticket(line)
    guard let job = sessions.appends[ticket]?.job else { throw StorageError(.invalidTicket) }
    try sessions.appends[ticket]?.session.closeRequested()
    job.commits.finish()
    try await channel.sendReply(Reply(.storageOK))
  }

  // MARK: Read

  private func openRead(_ line: ControlLine, _ sessions: inout Sessions) async throws {
    guard let job = UniqueIdentifier(text: try line.word(0).text ?? ""), boundJob ?? job == job else {
      throw StorageError(.unknownJob)
    }
    let devices = storage.jobs.readable(by: job)
    guard let first = devices.first else { throw StorageError(.unknownJob) }
    var read = try ReadSession(line)
    let device = devices.first { $0.knows(read.volume) } ?? first
    read.device = device
    // A volume that is missing or has no label is refused before blocks are asked for.
    let volume = read.volume
    try await onThread(name: "vault-read") { _ = try device.readBufferSize(of: volume) }
    let ticket = sessions.nextTicket
    sessions.nextTicket += 1
    sessions.reads[ticket] = read
    try await channel.sendReply(
      Reply(.readTicket, "OK", fields: [.init(key: "ticket", value: ByteString(String(ticket)))]))
  }

  private func read(_ line: ControlLine, _ sessions: inout Sessions) async throws {
    let ticket = try Self.ticket(line)
    guard let session = sessions.reads[ticket] else { throw StorageError(.invalidTicket) }
    let address = try session.address(line)
    let channel = channel
    try await onThread(name: "vault-read") { try session.send(address, to: channel) }
  }
}
