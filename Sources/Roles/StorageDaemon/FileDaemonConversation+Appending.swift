import VaultCrypto
import VaultDevice
import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

// Append sessions. Source: seed 001, "SD Append Requests".
extension FileDaemonConversation {
  /// How long the end of a session waits for the end of its data.
  private static let dataNanoseconds: UInt64 = 30_000_000_000

  func open(_ line: ControlLine, _ sessions: inout OpenSessions) async throws {
    try sessions.checkRoom()
    guard let identifier = UniqueIdentifier(text: try line.word(0).text ?? ""), boundJob ?? identifier == identifier,
      let job = storage.jobs.appending(identifier)
    else { throw StorageError(.unknownJob) }
    try checkPassword(line.words.dropFirst().first, job.password)
    guard job.open(for: mailbox) else { throw StorageError(.sessionBusy) }
    let ticket = storage.jobs.nextTicket()
    sessions.appends[ticket] = OpenSessions.Append(session: AppendSession(job: identifier), job: job)
    var reply = Reply(.storageOK)
    reply.line.set("ticket", ticket)
    try await channel.sendReply(reply)
  }

  func data(_ line: ControlLine, _ sessions: inout OpenSessions) async throws {
    let ticket = try OpenSessions.ticket(line)
    var append = try running(ticket, &sessions)
    // Asking again takes back what was offered before and not used.
    if let flow = append.flow, takeBack(flow) {
      append.flow = nil
      append.session.dataEnded()
    }
    try append.session.dataRequested()
    var reply = Reply(.storageOK, "OK data")
    if line["here"] != "yes", let address = channel.transport.localAddress {
      let key = try PresharedKey.random(byteCount: StorageRoute.keyByteCount)
      let flow = DataFlow(ticket: ticket, job: append.job)
      append.flow = flow
      sessions.appends[ticket] = append
      storage.jobs.expect(flow, key: key)
      reply.line.set("address", address.host)
      reply.line.set("port", address.port)
      reply.line.set("key", StorageRoute.text(key))
      try await channel.sendReply(reply)
    } else {
      sessions.appends[ticket] = append
      reply.line.set("address", "0.0.0.0")
      reply.line.set("port", 0)
      try await channel.sendReply(reply)
      try await receiveHere(ticket, append.job, &sessions)
    }
  }

  /// Receives the data of a session on this connection.
  private func receiveHere(_ ticket: UInt64, _ job: AnnouncedJob, _ sessions: inout OpenSessions) async throws {
    let failure = try await stream(into: job)
    guard let failure else {
      sessions.appends[ticket]?.session.dataEnded()
      return try await channel.sendFrame(.endOfCommits, [])
    }
    sessions.appends[ticket]?.session.aborted("\(failure)")
    // Who is to hear of it hears it before the session's end ends the way there.
    storage.notify(job, of: failure)
    storage.abort(job)
    try await channel.sendFrame(.jobEnd, Reply.refusing(StorageError.abortion(failure)).line.encoded())
    let (channel, clock) = (channel, storage.clock)
    // What the client sends meanwhile are frames: lines go on behind them.
    try await onThread(name: "vault-append") {
      job.connection.withLock { $0 = channel }
      defer { job.connection.withLock { $0 = nil } }
      var stream = AppendStream(channel: channel, job: job, clock: clock)
      try stream.passOver()
    }
  }

  /// - Returns: why the session cannot go on; nil when its data is durable.
  /// - Throws: when the connection cannot.
  private func stream(into job: AnnouncedJob) async throws -> (any Error)? {
    let (channel, clock) = (channel, storage.clock)
    return try await onThread(name: "vault-append") { () -> (any Error)? in
      job.connection.withLock { $0 = channel }
      defer { job.connection.withLock { $0 = nil } }
      var stream = AppendStream(channel: channel, job: job, clock: clock)
      do {
        try stream.run()
        return nil
      } catch let error as TransportError {
        throw error
      } catch {
        return error
      }
    }
  }

  func end(_ line: ControlLine, _ sessions: inout OpenSessions) async throws {
    let ticket = try OpenSessions.ticket(line)
    var append = try await withoutData(ticket, &sessions)
    // Nothing is left to be flushed with priority: the data's end is a commit.
    try append.session.endRequested()
    sessions.appends[ticket] = append
    try await channel.sendReply(Reply(.storageOK))
  }

  func close(_ line: ControlLine, _ sessions: inout OpenSessions) async throws {
    let ticket = try OpenSessions.ticket(line)
    var append = try await withoutData(ticket, &sessions)
    try append.session.closeRequested()
    // The job is open for one connection once: its ticket is not needed to keep others away.
    sessions.appends[ticket] = nil
    let lines = append.job.record.extents.map { extent in
      VolumeLine(
        volume: ByteString(append.job.device.device.volume(extent.volume)?.name ?? extent.volume.text),
        start: extent.start, end: extent.end, session: append.job.session
      )
    }
    let names = Set(lines.map(\.volume.displayText)).sorted().joined(separator: ", ")
    append.job.messages?.tell(.info, names.isEmpty ? "No volume was needed." : "What was saved is on \(names).")
    append.job.commits.finish()
    var reply = Reply(.storageOK)
    reply.line.set("volumes", lines.count)
    try await channel.sendReply(reply)
    for line in lines { try await channel.sendLine(line.line) }
  }

  func abort(_ line: ControlLine, _ sessions: inout OpenSessions) async throws {
    let ticket = try OpenSessions.ticket(line)
    var append = try sessions.append(ticket)
    abort(append)
    append.flow = nil
    append.session.aborted("the client asked for it")
    sessions.appends[ticket] = append
    try await channel.sendReply(Reply(.storageOK))
  }

  /// Drops what no commit covers, and the connection that brings more.
  func abort(_ append: OpenSessions.Append) {
    storage.abort(append.job)
    guard let flow = append.flow else { return }
    storage.jobs.stopExpecting(flow)
    flow.end(.failed("the session was aborted"))
  }

  // MARK: States

  /// A session whose job was not ended under its hands.
  private func running(_ ticket: UInt64, _ sessions: inout OpenSessions) throws -> OpenSessions.Append {
    var append = try sessions.append(ticket)
    if storage.jobs.appending(append.job.session) !== append.job {
      append.session.aborted("its job was ended")
      sessions.appends[ticket] = append
    }
    return append
  }

  /// The same, once its data has come to its end.
  private func withoutData(_ ticket: UInt64, _ sessions: inout OpenSessions) async throws -> OpenSessions.Append {
    let append = try sessions.append(ticket)
    guard let flow = append.flow else { return try running(ticket, &sessions) }
    if takeBack(flow) { return try running(ticket, &sessions) }
    let outcome = try await onThread(name: "vault-append") { flow.waitForEnd(nanoseconds: Self.dataNanoseconds) }
    guard outcome != nil else { throw StorageError(.dataFlows) }
    return try running(ticket, &sessions)
  }

  /// Gives up a connection that has not come.
  ///
  /// - Returns: false when it has.
  private func takeBack(_ flow: DataFlow) -> Bool {
    storage.jobs.stopExpecting(flow)
    return flow.takeBack()
  }
}
