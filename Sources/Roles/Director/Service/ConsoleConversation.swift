import VaultCatalog
import VaultConfiguration
import VaultMessages
import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

/// One console's connection: jobs submitted, cancelled and waited for; what there is; what happened.
///
/// Every request is answered by any number of frames and, last, a frame of kind *job end* that holds a reply.
struct ConsoleConversation: Sendable {
  let service: DirectorParts
  let channel: Channel
  let console: String

  func run() async throws {
    while let line = try await channel.receiveLine() {
      var reply: Reply
      do {
        reply = try await answer(line)
      } catch let error as TransportError where error.peer == channel.transport.peer {
        throw error
      } catch let error as DirectorError {
        reply = Reply(.directorRefused, refusing: ConsoleRefusal(error: error))
      } catch let error as any DescribedError {
        reply = Reply(.directorRefused, refusing: error)
      } catch is CancellationError {
        reply = Reply(.directorRefused, refusing: DirectorError.interrupted)
      }
      try await channel.sendFrame(.jobEnd, Array(reply.line.encoded()))
    }
  }

  private func answer(_ line: ControlLine) async throws -> Reply {
    switch line.verb {
    case "noop", "version": return version
    case "run job": return try await run(line)
    case "continue job": return try await continueJob(line)
    case "cancel job": return try await cancel(line)
    case "wait job": return try await wait(line)
    case "restore":
      let arguments = try await Director.receiveList(.paths, channel)
      let number = try await JobSubmission(parts: service).submitRestore(line, arguments)
      return Reply(.directorOK, fields: [.init(key: "job", value: ByteString(String(number)))])
    case "status director", "status client", "status storage":
      return try await StatusAnswers(service: service, channel: channel).answer(line)
    case "list runs": return try await JobAnswers(service: service, channel: channel).list(line)
    case "list log": return try await JobAnswers(service: service, channel: channel).log(line)
    case "messages": return try await messages()
    case "list files", "list versions", "find", "diff", "list problems":
      let director = Director(
        name: service.name, catalog: service.catalog, clock: service.clock, zone: service.zone,
        diallers: Director.Diallers(
          storage: { throw DialRefusal.notReachable("a storage daemon") },
          fileDaemon: { throw DialRefusal.notReachable("a file daemon") }))
      if let reply = try await director.answerListing(line, channel) { return reply }
      throw ControlError(.malformedLine, line: line.verb)
    default: throw UnknownRequest(verb: line.verb)
    }
  }

  private var version: Reply {
    Reply(
      .directorOK,
      fields: [
        .init(key: "name", value: ByteString(service.name)), .init(key: "version", value: ByteString(Hello.version)),
        .init(key: "features", value: ByteString(String(Hello.features, radix: 16))),
      ])
  }

  private func run(_ line: ControlLine) async throws -> Reply {
    var level: JobLevel?
    if let text = line["level"]?.text?.lowercased(), text != "auto" {
      guard let known = JobLevel(rawValue: text) else { throw ControlError(.malformedField("level"), line: line.verb) }
      level = known
    }
    guard let name = try line.word(0).text else { throw ControlError(.malformedField("job"), line: line.verb) }
    let number = try await JobSubmission(parts: service).submitBackup(named: name, level: level)
    return Reply(.directorOK, fields: [.init(key: "job", value: ByteString(String(number)))])
  }

  private func continueJob(_ line: ControlLine) async throws -> Reply {
    let number = try Self.number(line)
    try await JobSubmission(parts: service).submitContinuation(of: number)
    service.log.tell(.info, job: number, "Console \(console) lets the job go on.")
    return Reply(.directorOK, fields: [.init(key: "job", value: ByteString(String(number)))])
  }

  private func cancel(_ line: ControlLine) async throws -> Reply {
    let number = try Self.number(line)
    guard let job = await service.queue.cancel(number) else { throw QueueRefusal.notRunning(number) }
    service.log.tell(.info, job: number, "Console \(console) cancels the job.")
    // One that has not begun is over now; nobody else will say so.
    if job.state != .running { try await JobAnswers(service: service, channel: channel).endUnbegun(job) }
    return Reply(.directorOK, fields: [.init(key: "job", value: ByteString(String(number)))])
  }

  /// Answers when the job is over.
  private func wait(_ line: ControlLine) async throws -> Reply {
    let number = try Self.number(line)
    if let status = await service.queue.end(of: number) { return Self.reply(number, status) }
    let catalog = service.catalog
    let status = try await onThread(name: "vault-catalog") {
      try catalog.job(number: number)?.status ?? catalog.errand(number: number)?.status
    }
    guard let status else { throw DirectorError.noSuchJob(number) }
    return Self.reply(number, status)
  }

  private static func reply(_ number: JobNumber, _ status: JobStatus) -> Reply {
    var reply = Reply(.directorOK)
    reply.line.set("job", number)
    reply.line.set("status", String(status.rawValue))
    return reply
  }

  private static func number(_ line: ControlLine) throws -> JobNumber {
    guard let number = try line.word(0).text.flatMap({ JobNumber($0) }) else {
      throw ControlError(.malformedField("job"), line: line.verb)
    }
    return number
  }

  private func messages() async throws -> Reply {
    for message in service.log.takeForConsole() {
      var line = ControlLine("message")
      line.set("time", message.time.nanoseconds)
      line.set("class", message.messageClass.rawValue)
      if let job = message.job { line.set("job", job) }
      line.set("text", message.text)
      try await channel.sendFrame(.listing, line.encoded())
    }
    return Reply(.directorOK)
  }
}

/// A refusal in the words of the console's commands, where those of `vault local` differ.
struct ConsoleRefusal: DescribedError, Hashable {
  let error: DirectorError
  var exitStatus: ExitStatus { error.exitStatus }
  var description: String {
    switch error {
    case .noTree:
      "The catalog has no job of such a client and file set. 'list jobs' lists the jobs."
    case .severalTrees(let names):
      "The client has jobs of several file sets; name one with fileset=NAME: \(names.joined(separator: ", "))."
    case .noSuchJob(let number): "There is no job \(number). 'list jobs' lists the jobs."
    case .jobNotOfTree(let number): "Job \(number) is of another client or file set than those named."
    default: error.description
    }
  }
}

/// A request that this director does not know.
struct UnknownRequest: DescribedError, Hashable {
  let verb: String
  var exitStatus: ExitStatus { .usage }
  var description: String { "The director does not know the request '\(verb)'." }
}
