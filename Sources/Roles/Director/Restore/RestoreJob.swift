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

  // MARK: Storage daemons

  /// Where the file daemon reads: the connections last as long as it may.
  private struct OpenStorages {
    var channels: [Channel] = []
    /// The way to the one that there is; nil also where the file daemon knows it.
    var only: StorageRoute?
    /// What is read where; nil where there is only one.
    var shares: [StorageShare]?
  }

  /// Lets the file daemon read on the storage daemons whose volumes it needs: on these, and on no other.
  private func openStorages(
    for restore: UniqueIdentifier, of tree: TreeSelection, _ selection: Selection
  ) async throws -> OpenStorages {
    let (catalog, source) = (director.catalog, tree.source)
    let sessions = try await onThread(name: "vault-catalog") { try catalog.sessions(of: tree.tree) }
    guard let candidates = director.diallers.readingStorages else {
      let storage = try await director.diallers.storage()
      do {
        for line in reading(restore, nil, sessions) { try await storage.request(line, expecting: .storageOK) }
      } catch {
        storage.close()
        throw error
      }
      return OpenStorages(channels: [storage])
    }
    let needed = try await needed(of: candidates, source, selection)
    var open = OpenStorages()
    var shares: [StorageShare] = []
    do {
      for storage in needed {
        let channel = try await storage.dial()
        open.channels.append(channel)
        let route = try storage.route(restore)
        for line in reading(restore, route, sessions) { try await storage.request(channel, line) }
        shares.append(StorageShare(route: route, volumes: storage.volumes))
      }
    } catch {
      for channel in open.channels { channel.close() }
      throw error
    }
    // A file daemon that knows of one storage daemon only is asked as it always was.
    if shares.count == 1 { open.only = shares.first?.route } else { open.shares = shares }
    return open
  }

  private func needed(
    of candidates: [ReadingStorage], _ source: SelectionSource, _ selection: Selection
  ) async throws -> [ReadingStorage] {
    if candidates.count == 1 { return candidates }
    let (catalog, cancel, isStream) = (director.catalog, cancel, line["mode"] == "stream")
    return try await onThread(name: "vault-catalog") {
      var needs = StorageNeeds(catalog: catalog, storages: candidates.map(\.volumes))
      let found = try needs.find(in: source, selection, isContentOnly: isStream) { cancel.isSet }
      return found.sorted().map { candidates[$0] }
    }
  }

  /// How many sessions a line names: they fill half of it.
  private static let sessionsPerLine = 700

  /// What lets a file daemon read blocks of sessions, and of no other: as many lines as it takes.
  private func reading(
    _ restore: UniqueIdentifier, _ route: StorageRoute?, _ sessions: [UniqueIdentifier]
  ) -> [ControlLine] {
    stride(from: 0, to: sessions.count, by: Self.sessionsPerLine).map { start in
      var line = ControlLine("read job", words: [ByteString(restore.text)])
      director.announce(route, in: &line)
      for session in sessions[start...].prefix(Self.sessionsPerLine) { line.set("session", session.text) }
      return line
    }
  }

  // MARK: The restore

  private func restore(
    _ tree: TreeSelection, _ selection: Selection, _ expected: JobCounters?
  ) async throws -> Reply {
    let (catalog, tell, relay) = (director.catalog, tell, director.relay)
    let restore = UniqueIdentifier.random()
    let storages = try await openStorages(for: restore, of: tree, selection)
    defer { for channel in storages.channels { channel.close() } }
    let fileDaemon = try await director.diallers.fileDaemon()
    defer { fileDaemon.close() }
    var request = ControlLine("restore", words: [ByteString(restore.text)])
    // What the file daemon lacks or does not know it refuses itself.
    for key in ["number", "mode", "target", "overwrite", "strip", "numeric-ids"] {
      if let value = line[key] { request.set(key, value) }
    }
    storages.only?.write(to: &request)
    if let shares = storages.shares { request.set("storages", shares.count) }
    try await fileDaemon.request(
      request, frames: (storages.shares ?? []).map { (.storageRoute, $0.encoded) }, expecting: [.fileDaemonOK])
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
    let reply = try Reply(end)
    guard reply.code == .fileDaemonOK else { throw PeerRefusal(reply) }
    return Reply(.directorOK, fields: reply.line.fields)
  }
}
