import Console
import VaultModel
import VaultProtocol

/// Does what was asked for in the console, and shows the answer.
struct ConsoleOperation: Sendable {
  let session: ConsoleSession
  let context: CommandContext
  let isJSON: Bool

  func perform(_ request: ConsoleRequest) async throws -> ExitStatus {
    switch request {
    case .nothing, .quit: return .done
    case .help:
      context.output.write(ConsoleRequest.helpText)
      return .done
    case .version: return try await answer(ControlLine("version"))
    case .messages: return try await list(ControlLine("messages"))
    case .run(let job, let level, let waits):
      var line = ControlLine("run job", words: [ByteString(job)])
      if let level { line.set("level", level) }
      return try await start(line, paths: nil, waits: waits)
    case .continueJob(let number, let waits):
      return try await start(ControlLine("continue job", words: [Self.word(number)]), paths: nil, waits: waits)
    case .cancel(let number): return try await answer(ControlLine("cancel job", words: [Self.word(number)]))
    case .wait(let number): return try await wait(number)
    case .status(let line), .listJobs(let line): return try await list(line)
    case .listLog(let number): return try await list(ControlLine("list log", words: [Self.word(number)]))
    case .listFiles(let number, let paths): return try await listFiles(number, paths)
    case .restore(let line, let paths, let waits): return try await start(line, paths: paths, waits: waits)
    }
  }

  private static func word(_ number: JobNumber) -> ByteString { ByteString(String(number)) }

  /// Asks for something that is answered by one line.
  private func answer(_ line: ControlLine) async throws -> ExitStatus {
    let reply = try await session.request(line)
    context.output.write(
      isJSON ? ConsoleTables.json(reply, kind: line.verb) : ConsoleTables.text(answer: reply, to: line.verb))
    return .done
  }

  /// Asks for something that is answered by lines.
  private func list(_ line: ControlLine) async throws -> ExitStatus {
    var lines: [ControlLine] = []
    _ = try await session.request(line) { lines.append($0) }
    context.output.write(
      isJSON ? ConsoleTables.json(lines) : Array(ConsoleTables.text(lines, of: line.verb, zone: context.zone).utf8))
    return .done
  }

  private func start(_ line: ControlLine, paths: [PathChoice]?, waits: Bool) async throws -> ExitStatus {
    let reply = try await session.request(line, paths: paths)
    let number: JobNumber = try reply.integer("job")
    if !isJSON || !waits {
      context.output.write(
        isJSON
          ? ConsoleTables.json(reply, kind: line.verb) : Array("Job \(number) was queued.\n".utf8))
    }
    return waits ? try await wait(number) : .done
  }

  private func wait(_ number: JobNumber) async throws -> ExitStatus {
    let reply = try await session.request(ControlLine("wait job", words: [Self.word(number)]))
    guard let status = try reply.text("status").first.flatMap({ JobStatus(rawValue: $0) }) else {
      throw ControlError(.malformedField("status"), line: "wait job")
    }
    context.output.write(
      isJSON
        ? ConsoleTables.json(reply, kind: "wait job") : Array("Job \(number) ended: \(status.title).\n".utf8))
    return status.exitStatus
  }

  private func listFiles(_ number: JobNumber, _ paths: [PathChoice]) async throws -> ExitStatus {
    let listing = EntryTable(output: context.output, zone: context.zone, form: isJSON ? .json : .long)
    try await session.client.list(ListRequest(treeName: nil, at: .job(number), paths: paths)) { entry in
      listing.add(entry)
      if context.output.isClosed { throw CancellationError() }
    }
    listing.end()
    return .done
  }
}

extension JobStatus {
  /// What a command that waited for the job ends with.
  fileprivate var exitStatus: ExitStatus {
    switch self {
    case .terminated: .done
    case .terminatedWithWarnings: .doneWithProblems
    case .canceled: .interrupted
    case .created, .running, .failed, .incomplete: .jobFailed
    }
  }
}
