import VaultCatalog
import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

/// One restore: the director's selection, the storage daemon's blocks, the file daemon's files.
struct RestoreJob: Sendable {
  let director: Director
  let line: ControlLine
  let paths: [ByteString]
  let console: Channel

  func run() async throws -> Reply {
    let (catalog, console, line, paths) = (director.catalog, console, line, paths)
    let selection = try await onThread(name: "vault-catalog") {
      let selection = try TreeSelection.resolve(line, catalog)
      try Self.check(paths, selection, catalog)
      return selection
    }
    let restore = UniqueIdentifier.random()
    let storage = try await director.diallers.storage()
    defer { storage.close() }
    try await storage.request(ControlLine("read job", words: [ByteString(restore.text)]), expecting: .storageOK)
    let fileDaemon = try await director.diallers.fileDaemon()
    defer { fileDaemon.close() }
    var request = ControlLine("restore", words: [ByteString(restore.text)])
    for key in ["target", "overwrite"] {
      guard let value = line[key] else { throw ControlError(.missingField(key), line: line.verb) }
      request.set(key, value)
    }
    if let numeric = line["numeric-ids"] { request.set("numeric-ids", numeric) }
    try await fileDaemon.request(request, expecting: .fileDaemonOK)
    console.whenBytesArrive { fileDaemon.close() }
    // A whole tree is as large as its job saw it.
    let expected = paths.isEmpty && selection.job.status.isPublished ? selection.job.counters : nil
    let end = try await onThread(name: "vault-plan") {
      var server = PlanServer(
        channel: fileDaemon, catalog: catalog, tree: selection.tree, source: selection.source, paths: paths
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
    reply.line.set("job", selection.job.description.number)
    return reply
  }

  /// Refuses paths that are not in the job before anything is written.
  private static func check(_ paths: [ByteString], _ selection: TreeSelection, _ catalog: any CatalogStore) throws {
    for path in paths where path != "/" {
      var walk = ListingWalk(catalog: catalog, source: selection.source, path: path)
      if try walk.next(limit: 1) == nil {
        throw DirectorError.notInJob(path.displayText, selection.job.description.number)
      }
    }
  }
}
