import VaultCatalog
import VaultModel
import VaultProtocol
import VaultScheduler
import VaultSession
import VaultSystem

/// The director: owns the catalog, decides what a job does, and tells file and storage daemons.
///
/// `run()` serves consoles until its listener closes; a job is a child task of the connection that asked for it, and cancelling the
/// task cancels the job.
package struct Director: Sendable {
  /// How the director reaches the daemons; each call is a new connection that has said hello.
  package struct Diallers: Sendable {
    package var storage: @Sendable () async throws -> Channel
    package var fileDaemon: @Sendable () async throws -> Channel
    package init(
      storage: @escaping @Sendable () async throws -> Channel,
      fileDaemon: @escaping @Sendable () async throws -> Channel
    ) {
      self.storage = storage
      self.fileDaemon = fileDaemon
    }
  }

  let catalog: any CatalogStore
  let clock: any VaultClock
  /// The clock on the wall, for rules that speak of days and weeks.
  let zone: LocalTimeZone
  let diallers: Diallers
  private let hello: Hello

  package init(
    name: String, catalog: any CatalogStore, clock: any VaultClock, zone: LocalTimeZone = .utc, diallers: Diallers
  ) {
    self.catalog = catalog
    self.clock = clock
    self.zone = zone
    self.diallers = diallers
    hello = Hello(role: .director, name: name)
  }

  /// Serves consoles until the listener closes.
  package func run(_ listener: PipeListener) async {
    await withDiscardingTaskGroup { group in
      while let transport = await listener.accept() {
        group.addTask { await serve(Channel(transport)) }
      }
      group.cancelAll()
    }
  }

  private func serve(_ channel: Channel) async {
    defer { channel.close() }
    do {
      guard try await hello.answer(channel, allowing: [.console]) != nil else { return }
      while let line = try await channel.receiveLine() {
        // A cancel that comes when its job has just ended has nothing left to cancel.
        if line.verb == "cancel" { continue }
        try await answer(line, channel)
      }
    } catch {
      // The console is gone, or said what no console says: the conversation is over, and other consoles' go on.
      return
    }
  }

  /// Does what one request asks; a failure is the request's answer, and the connection stays usable.
  private func answer(_ line: ControlLine, _ channel: Channel) async throws {
    var reply: Reply
    do {
      switch line.verb {
      case "recover": reply = try await Recovery(director: self).run()
      case "run": reply = try await runBackup(line, channel)
      case "estimate": reply = try await runEstimate(line, channel)
      case "restore": reply = try await runRestore(line, channel)
      case "verify": reply = try await runVerification(line, channel)
      case "list jobs": reply = try await Listings(director: self, channel: channel).jobs(line)
      case "list files":
        let paths = try await Self.receiveList(.paths, channel)
        reply = try await Listings(director: self, channel: channel).files(line, paths)
      case "list versions": reply = try await HistoryListings(director: self, channel: channel).versions(line)
      case "find": reply = try await HistoryListings(director: self, channel: channel).find(line)
      case "diff": reply = try await HistoryListings(director: self, channel: channel).diff(line)
      case "drop": reply = try await runDrop(line, channel)
      case "list problems": reply = try await Listings(director: self, channel: channel).problems(line)
      default: reply = Reply(.directorRefused, refusing: ControlError(.malformedLine, line: line.verb))
      }
    } catch let error as TransportError where error.peer == channel.transport.peer {
      // The console's own conversation is out of step: it cannot go on.
      throw error
    } catch let error as any DescribedError {
      reply = Reply(.directorRefused, refusing: error)
    } catch is CancellationError {
      reply = Reply(.directorRefused, refusing: DirectorError.interrupted)
    }
    try await channel.sendFrame(.jobEnd, Array(reply.line.encoded()))
  }

  private func runBackup(_ line: ControlLine, _ channel: Channel) async throws -> Reply {
    let request = try await Self.receiveRequest(line, channel)
    return try await withCancellation(by: channel) { cancel in
      try await BackupJob(director: self, request: request, console: channel, cancel: cancel).run()
    }
  }

  private func runEstimate(_ line: ControlLine, _ channel: Channel) async throws -> Reply {
    let request = try await Self.receiveRequest(line, channel)
    let listsChanges = line["list"] == "yes"
    return try await withCancellation(by: channel) { cancel in
      try await EstimateJob(
        director: self, request: request, listsChanges: listsChanges, console: channel, cancel: cancel
      ).run()
    }
  }

  private static func receiveRequest(_ line: ControlLine, _ channel: Channel) async throws -> RunRequest {
    // Both frames are taken before anything is refused: the conversation stays in step.
    let paths = try await receiveList(.paths, channel)
    let patterns = try await receiveList(.patterns, channel)
    return try RunRequest(line, paths: paths, patterns: patterns)
  }

  private func runRestore(_ line: ControlLine, _ channel: Channel) async throws -> Reply {
    let paths = try await Self.receiveList(.paths, channel)
    return try await RestoreJob(director: self, line: line, arguments: paths, console: channel).run()
  }

  private func runVerification(_ line: ControlLine, _ channel: Channel) async throws -> Reply {
    let readsData = try line.text("data") == "yes"
    return try await withCancellation(by: channel) { cancel in
      try await VerifyJob(director: self, readsData: readsData, console: channel, cancel: cancel).run()
    }
  }

  private func runDrop(_ line: ControlLine, _ channel: Channel) async throws -> Reply {
    try await withCancellation(by: channel) { cancel in
      try await DropJob(director: self, line: line, console: channel, cancel: cancel).run()
    }
  }

  private static func receiveList(_ kind: FrameKind, _ channel: Channel) async throws -> [ByteString] {
    let frame = try await channel.receiveFrame()
    guard frame.kind == kind else {
      throw TransportError(
        .malformed("a frame of kind \(frame.kind) where \(kind) belong"), peer: channel.transport.peer)
    }
    return try frame.payload.withUnsafeBytes { try PathList.decode($0) }
  }

  /// Runs a job while the console may send a cancel; a console that is gone cancels too.
  private func withCancellation(
    by channel: Channel, _ body: @escaping @Sendable (CancelSignal) async throws -> Reply
  ) async throws -> Reply {
    let signal = CancelSignal()
    // While a job runs, a console says nothing but `cancel`.
    channel.whenBytesArrive { signal.set() }
    return try await body(signal)
  }
}
