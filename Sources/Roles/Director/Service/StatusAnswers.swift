import VaultConfiguration
import VaultModel
import VaultProtocol
import VaultSession

/// Tells a console how the director, a client or a storage daemon is.
struct StatusAnswers: Sendable {
  /// How long a daemon is dialled for its status.
  private static let dialSeconds: UInt64 = 5

  let service: DirectorParts
  let channel: Channel

  func answer(_ line: ControlLine) async throws -> Reply {
    switch line.verb {
    case "status client": try await client(line)
    case "status storage": try await storage(line)
    default: try await director()
    }
    return Reply(.directorOK)
  }

  private func send(_ line: ControlLine) async throws { try await channel.sendFrame(.listing, line.encoded()) }

  private func director() async throws {
    let jobs = await service.queue.all()
    var line = ControlLine("director")
    line.set("name", service.name)
    line.set("version", Hello.version)
    line.set("started", service.began.nanoseconds)
    line.set("running", jobs.count { $0.state == .running })
    line.set("waiting", jobs.count { $0.state != .running })
    line.set("job-limit", service.configuration.daemon.concurrentJobLimit)
    try await send(line)
    for job in jobs { try await send(Self.line(job)) }
  }

  private static func line(_ job: QueuedJob) -> ControlLine {
    var line = ControlLine(job.state == .running ? "running" : "waiting")
    line.set("job", job.number)
    line.set("name", job.name)
    line.set("type", job.kind)
    line.set("client", job.client.peer.name)
    if let storage = job.storage { line.set("storage", storage.peer.name) }
    line.set("priority", job.priority)
    line.set("status", String(job.letter))
    if let wait = job.wait { line.set("reason", wait.title) }
    for key in ["entries", "bytes", "read", "sent", "problems", "path", "total-entries", "total-bytes"] {
      if let value = job.progress.line?[key] { line.set(key, value) }
    }
    return line
  }

  private func client(_ line: ControlLine) async throws {
    guard let name = try line.word(0).text,
      let client = service.configuration.clients.first(where: { $0.peer.name == name })
    else { throw QueueRefusal.noSuchResource("Client", line.words.first?.displayText ?? "") }
    let daemon = try await service.dialler.dialClient(client, forSeconds: Self.dialSeconds)
    defer { daemon.close() }
    let reply = try await daemon.request(ControlLine("status"), expecting: .fileDaemonOK)
    var answer = ControlLine("client")
    answer.set("name", name)
    answer.fields += reply.line.fields.filter { $0.key != "running" }
    Hello.agree(on: &answer)
    try await send(answer)
    for text in reply.line.all("running") {
      var job = ControlLine("running")
      job.set("text", text)
      try await send(job)
    }
  }

  private func storage(_ line: ControlLine) async throws {
    guard let name = try line.word(0).text,
      let storage = service.configuration.storages.first(where: { $0.peer.name == name })
    else { throw QueueRefusal.noSuchResource("Storage", line.words.first?.displayText ?? "") }
    let daemon = try await service.dialler.dial(storage, forSeconds: Self.dialSeconds)
    defer { daemon.close() }
    try await daemon.request(ControlLine("status"), expecting: .storageOK)
    while true {
      let (kind, payload) = try await daemon.receiveFrame()
      guard kind == .listing else { return }
      var line = try ControlLine(payload: payload)
      if line.verb == "storage" { Hello.agree(on: &line) }
      try await send(line)
    }
  }
}
