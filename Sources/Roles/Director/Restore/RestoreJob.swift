import VaultCatalog
import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

/// One restore: the director's selection, the storage daemon's blocks, the file daemon's files.
struct RestoreJob: Sendable {
  let director: Director
  let line: ControlLine
  /// Paths and patterns in turn.
  let arguments: [ByteString]
  let cancel: CancelSignal
  /// Is told how far the restore is, what could not be restored, and what a streamed file holds.
  let tell: @Sendable (FrameKind, [UInt8]) -> Void

  func run() async throws -> Reply {
    let (catalog, cancel, line, arguments) = (director.catalog, cancel, line, arguments)
    // What cannot be restored as asked for is refused before anything is written.
    let (tree, totals, selection) = try await onThread(name: "vault-catalog") {
      let tree = try TreeSelection.resolve(line, catalog)
      let choice = try ChosenPaths(arguments, in: tree, catalog) { cancel.isSet }
      let selection =
        line["mode"] == "stream" ? .paths([try choice.onlyFile(catalog)]) : try choice.selection(catalog)
      // A whole tree is as large as its job saw it.
      let totals = arguments.isEmpty && tree.job.status.isPublished ? tree.job.counters : nil
      return (tree, totals, selection)
    }
    let outcome: Swift.Result<Reply, any Error>
    do {
      outcome = .success(try await restore(tree, selection, totals))
    } catch {
      outcome = .failure(error)
    }
    if case .noted(let number) = selection {
      try await onThread(name: "vault-catalog") { try catalog.endSelection(number) }
    }
    var reply = try outcome.get()
    reply.line.set("job", tree.job.description.number)
    return reply
  }

  private func restore(
    _ tree: TreeSelection, _ selection: Selection, _ expected: JobCounters?
  ) async throws -> Reply {
    let (catalog, tell, relay) = (director.catalog, tell, director.relay)
    let restore = UniqueIdentifier.random()
    let storage = try await director.diallers.storage()
    defer { storage.close() }
    let route = try director.diallers.route?(restore)
    var reading = ControlLine("read job", words: [ByteString(restore.text)])
    director.announce(route, in: &reading)
    if let announce = director.diallers.announceReading {
      try await announce(storage, reading)
    } else {
      try await storage.request(reading, expecting: .storageOK)
    }
    let fileDaemon = try await director.diallers.fileDaemon()
    defer { fileDaemon.close() }
    var request = ControlLine("restore", words: [ByteString(restore.text)])
    // What the file daemon lacks or does not know it refuses itself.
    for key in ["number", "mode", "target", "overwrite", "strip", "numeric-ids"] {
      if let value = line[key] { request.set(key, value) }
    }
    route?.write(to: &request)
    try await fileDaemon.request(request, expecting: .fileDaemonOK)
    cancel.whenSet { fileDaemon.close() }
    let end = try await onThread(name: "vault-plan") {
      var server = PlanServer(
        channel: fileDaemon, catalog: catalog, tree: tree.tree, source: tree.source, selection: selection,
        relay: relay
      ) { kind, payload in
        var payload = payload
        if kind == .progress, let expected, var line = try? ControlLine(payload: payload) {
          expected.writeTotals(to: &line)
          payload = Array(line.encoded())
        }
        tell(kind, payload)
      }
      return try server.run()
    }
    var reply = try Reply(end)
    guard reply.code == .fileDaemonOK else { throw PeerRefusal(reply) }
    reply.code = .directorOK
    reply.line.verb = "\(StatusCode.directorOK.rawValue) OK"
    return reply
  }
}
