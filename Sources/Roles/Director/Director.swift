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
    /// The way by which the file daemon reaches the storage daemon for a job; nil where there is only one.
    var route: (@Sendable (UniqueIdentifier) throws -> StorageRoute)?
    /// What the file daemon is called; nil where there is only one.
    var client: String?
    /// The storage daemons that a restore may read from; nil where there is only one, with one device.
    var readingStorages: [ReadingStorage]?

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
  /// Where volumes are that the storage daemon tells of; nil where there is only one place.
  let place: String?
  /// Takes what file and storage daemon tell during a job; nil where they tell nothing.
  var relay: (@Sendable (PeerRole, ControlLine) -> Void)?
  private let hello: Hello

  package init(
    name: String, catalog: any CatalogStore, clock: any VaultClock, zone: LocalTimeZone = .utc, diallers: Diallers,
    place: String? = nil
  ) {
    self.place = place
    self.catalog = catalog
    self.clock = clock
    self.zone = zone
    self.diallers = diallers
    hello = Hello(role: .director, name: name)
  }

  /// Serves consoles until the listener closes.
  package func run(_ listener: any Listener) async {
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
      case "drop": reply = try await runDrop(line, channel)
      default:
        reply =
          try await answerListing(line, channel)
          ?? Reply(.directorRefused, refusing: ControlError(.malformedLine, line: line.verb))
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

  /// Answers what only the catalog is needed for; nil for any other request.
  func answerListing(_ line: ControlLine, _ channel: Channel) async throws -> Reply? {
    switch line.verb {
    case "list jobs": return try await Listings(director: self, channel: channel).jobs(line)
    case "list files":
      let paths = try await Self.receiveList(.paths, channel)
      return try await Listings(director: self, channel: channel).files(line, paths)
    case "list versions": return try await HistoryListings(director: self, channel: channel).versions(line)
    case "find": return try await HistoryListings(director: self, channel: channel).find(line)
    case "diff": return try await HistoryListings(director: self, channel: channel).diff(line)
    case "list problems": return try await Listings(director: self, channel: channel).problems(line)
    default: return nil
    }
  }

  private func runBackup(_ line: ControlLine, _ channel: Channel) async throws -> Reply {
    let request = try await Self.receiveRequest(line, channel)
    return try await withCancellation(by: channel) { cancel in
      var job = BackupJob(director: self, request: request, cancel: cancel) { line in
        // A console that is gone has cancelled the job by that already.
        try? line.encoded().withUnsafeBytes { try channel.sendFrameBlocking(.progress, $0) }
      }
      return try await job.run()
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
    let cancel = CancelSignal()
    channel.whenBytesArrive { cancel.set() }
    let job = RestoreJob(director: self, line: line, arguments: paths, cancel: cancel) { kind, payload in
      // A console that is gone has stopped the restore by that already.
      try? payload.withUnsafeBytes { try channel.sendFrameBlocking(kind, $0) }
    }
    return try await job.run()
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

  static func receiveList(_ kind: FrameKind, _ channel: Channel) async throws -> [ByteString] {
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

  /// Says in a request to a storage daemon which client may come with which key.
  func announce(_ route: StorageRoute?, in line: inout ControlLine) {
    guard let route else { return }
    line.set("key", StorageRoute.text(route.key))
    if let client = diallers.client { line.set("client", client) }
  }
}
