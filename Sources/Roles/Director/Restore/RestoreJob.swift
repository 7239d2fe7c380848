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
  let console: Channel

  func run() async throws -> Reply {
    let (catalog, console, line, arguments) = (director.catalog, console, line, arguments)
    let cancel = CancelSignal()
    console.whenBytesArrive { cancel.set() }
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
      outcome = .success(try await restore(tree, selection, totals, cancel))
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
    _ tree: TreeSelection, _ selection: Selection, _ expected: JobCounters?, _ cancel: CancelSignal
  ) async throws -> Reply {
    let (catalog, console) = (director.catalog, console)
    let restore = UniqueIdentifier.random()
    let storage = try await director.diallers.storage()
    defer { storage.close() }
    try await storage.request(ControlLine("read job", words: [ByteString(restore.text)]), expecting: .storageOK)
    let fileDaemon = try await director.diallers.fileDaemon()
    defer { fileDaemon.close() }
    var request = ControlLine("restore", words: [ByteString(restore.text)])
    // What the file daemon lacks or does not know it refuses itself.
    for key in ["mode", "target", "overwrite", "strip", "numeric-ids"] {
      if let value = line[key] { request.set(key, value) }
    }
    try await fileDaemon.request(request, expecting: .fileDaemonOK)
    cancel.whenSet { fileDaemon.close() }
    let end = try await onThread(name: "vault-plan") {
      var server = PlanServer(
        channel: fileDaemon, catalog: catalog, tree: tree.tree, source: tree.source, selection: selection
      ) { kind, payload in
        var payload = payload
        if kind == .progress, let expected, var line = try? ControlLine(payload: payload) {
          expected.writeTotals(to: &line)
          payload = Array(line.encoded())
        }
        // A console that is gone has stopped the restore by that already.
        try? payload.withUnsafeBytes { try console.sendFrameBlocking(kind, $0) }
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
