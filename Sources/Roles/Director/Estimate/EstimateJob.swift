import VaultCatalog
import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

/// Says what a backup would do, without a job, a session or a word to the storage daemon: the catalog is only read.
struct EstimateJob: Sendable {
  let director: Director
  let request: RunRequest
  /// Whether the console wants every entry that would be saved or deleted.
  let listsChanges: Bool
  let console: Channel
  let cancel: CancelSignal

  /// What the job would be, if it were made now.
  private struct Basis: Sendable {
    var level: JobLevel
    var baseSequence: UInt64
    var paths: [ByteString]
    /// The interrupted job that it would go on with, and from where.
    var continued: JobNumber?
    var position: CanonicalPosition?
    /// What the tree's latest published job saw: as much is expected.
    var expected: JobCounters?
  }

  func run() async throws -> Reply {
    let (catalog, request) = (director.catalog, request)
    let basis = try await onThread(name: "vault-catalog") { try Self.basis(request, catalog) }
    let fileDaemon = try await director.diallers.fileDaemon()
    defer { fileDaemon.close() }
    try await fileDaemon.request(
      estimateLine(basis), frame: (.paths, PathList.encode(basis.paths)),
      (.patterns, PathList.encode(request.patterns)), expecting: .fileDaemonOK)
    cancel.whenSet { fileDaemon.sendSoon(.cancel) }
    let line = try await serve(fileDaemon, basis)
    let end = try Reply(line)
    guard end.code == .fileDaemonOK else { throw PeerRefusal(end) }
    guard try line.text("state") == "complete" else { throw DirectorError.estimateInterrupted }
    var reply = Reply(.directorOK)
    reply.line.set("level", basis.level.rawValue)
    if let continued = basis.continued { reply.line.set("continues", continued) }
    try BackupEstimate(line).write(to: &reply.line)
    return reply
  }

  /// Decides as `JobStart` does, and leaves the catalog as it is.
  private static func basis(_ request: RunRequest, _ catalog: any CatalogStore) throws -> Basis {
    let latest = try catalog.latestPublishedJob(of: request.tree, fullOnly: false, endedBy: nil)
    guard let job = try catalog.interruptedJob(of: request.tree) else {
      let decision = try JobStart.level(request, catalog: catalog)
      return Basis(
        level: decision.level, baseSequence: decision.baseSequence, paths: request.paths, expected: latest?.counters)
    }
    let description = job.description
    let position = job.lastCommit > 0 ? try catalog.resumePoint(of: description.number).position : nil
    return Basis(
      level: description.level, baseSequence: description.baseSequence, paths: description.paths,
      continued: description.number, position: position, expected: latest?.counters)
  }

  private func estimateLine(_ basis: Basis) -> ControlLine {
    var line = ControlLine("estimate")
    line.set("compare", basis.baseSequence > 0 ? "yes" : "no")
    line.set("list", listsChanges ? "yes" : "no")
    line.fields += request.fileFields
    if let position = basis.position {
      line.set("directory", position.directory.path)
      line.set("name", position.name)
    }
    return line
  }

  private func serve(_ fileDaemon: Channel, _ basis: Basis) async throws -> ControlLine {
    let (catalog, console, tree) = (director.catalog, console, request.tree)
    return try await onThread(name: "vault-state") {
      // A console that is gone has cancelled the estimate by that already.
      let tell: @Sendable (FrameKind, [UInt8]) -> Void = { kind, payload in
        try? payload.withUnsafeBytes { try console.sendFrameBlocking(kind, $0) }
      }
      var server = StateServer(
        channel: fileDaemon, catalog: catalog, tree: tree, baseSequence: basis.baseSequence,
        onProgress: { line in
          var line = line
          basis.expected?.writeTotals(to: &line)
          tell(.progress, line.encoded())
        }, onFinding: tell)
      return try server.run()
    }
  }
}
