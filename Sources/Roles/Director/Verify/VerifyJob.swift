import Synchronization
import VaultCatalog
import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

/// Checks the catalog against the volumes, and when data is read every block, group and file digest.
///
/// The storage daemon examines the volumes, the file daemon reads contents without writing them, and the catalog says which
/// entries damage costs.
struct VerifyJob: Sendable {
  private static let rowsPerPage = 2048

  let director: Director
  let readsData: Bool
  let console: Channel
  let cancel: CancelSignal

  private struct Totals: Sendable {
    var damage = DamageList()
    var notes: [String] = []
    var volumes: UInt64 = 0
    var blocks: UInt64 = 0
    var bytes: UInt64 = 0
    var contents: UInt64 = 0
    var contentBytes: UInt64 = 0
  }

  func run() async throws -> Reply {
    do {
      var totals = try await survey()
      if readsData { try await checkContents(&totals) }
      let found = totals
      return try await onThread(name: "vault-verify") { try tell(found) }
    } catch  where cancel.isSet {
      // Whatever broke because the conversations were closed.
      throw DirectorError.verificationInterrupted
    }
  }

  // MARK: Volumes

  private func survey() async throws -> Totals {
    let storage = try await director.diallers.storage()
    defer { storage.close() }
    cancel.whenSet { storage.close() }
    let (catalog, console, readsData) = (director.catalog, console, readsData)
    return try await onThread(name: "vault-verify") {
      var survey = VolumeSurvey(storage: storage, catalog: catalog, readsData: readsData) { bytes, damage in
        var line = ControlLine("progress")
        line.set("entries", 0)
        line.set("bytes", bytes)
        line.set("read", bytes)
        line.set("sent", 0)
        line.set("problems", damage)
        // A console that is gone is noticed as a cancel.
        try? line.encoded().withUnsafeBytes { try console.sendFrameBlocking(.progress, $0) }
      }
      try survey.run()
      var totals = Totals(
        damage: survey.damage, notes: survey.notes, volumes: survey.volumeCount, blocks: survey.blockCount,
        bytes: survey.byteCount)
      try Self.checkLocations(catalog, &totals)
      return totals
    }
  }

  /// Looks whether every content that an entry refers to has its groups somewhere.
  private static func checkLocations(_ catalog: any CatalogStore, _ totals: inout Totals) throws {
    var cursor: SelectionCursor?
    var locations = LocationCursor(catalog: catalog)
    repeat {
      var rows: [StateRow] = []
      cursor = try catalog.readSelection(
        of: .everyContent, .paths([]), pass: .contents, after: cursor, limit: rowsPerPage
      ) { rows.append($0) }
      for row in rows {
        guard case .stored(let content, let sealed) = row.entry.content, sealed.size > 0 else { continue }
        totals.contents += 1
        // A file of nothing but a hole has no groups: its digest tells when it is read.
        guard sealed.algorithm == .sha256, try locations.locations(of: content, size: sealed.size).isEmpty else {
          continue
        }
        var damage = Damage(
          volume: "", blocks: 0..<0,
          reason: "Nothing is known of where the data of session \(content.session) lies")
        damage.add(content.session, content.index...content.index)
        totals.damage.add(damage)
      }
    } while cursor != nil
  }

  // MARK: Contents

  /// What the file daemon says of one content.
  private struct Unsound: Sendable {
    var content: ContentIdentifier
    var reason: String
  }

  private func checkContents(_ totals: inout Totals) async throws {
    let check = UniqueIdentifier.random()
    let storage = try await director.diallers.storage()
    defer { storage.close() }
    try await storage.request(ControlLine("read job", words: [ByteString(check.text)]), expecting: .storageOK)
    let fileDaemon = try await director.diallers.fileDaemon()
    defer { fileDaemon.close() }
    try await fileDaemon.request(ControlLine("verify", words: [ByteString(check.text)]), expecting: .fileDaemonOK)
    cancel.whenSet { fileDaemon.close() }
    let (catalog, console) = (director.catalog, console)
    let (end, unsound) = try await onThread(name: "vault-plan") {
      let box = UnsoundBox()
      var server = PlanServer(
        channel: fileDaemon, catalog: catalog, tree: nil, source: .everyContent, selection: .paths([])
      ) { kind, payload in
        if kind == .progress { try? payload.withUnsafeBytes { try console.sendFrameBlocking(kind, $0) } }
        if kind == .restoreProblem { box.take(payload) }
      }
      return (try server.run(), box.all)
    }
    let reply = try Reply(end)
    guard reply.code == .fileDaemonOK else { throw PeerRefusal(reply) }
    totals.contentBytes = try reply.line.integer("bytes")
    let known = totals.damage
    totals.damage = try await onThread(name: "vault-catalog") {
      var damage = known
      for found in unsound where !damage.covers(found.content) {
        damage.add(try Self.damage(found, catalog))
      }
      return damage
    }
  }

  /// Keeps what a file daemon tells while it works.
  private final class UnsoundBox: Sendable {
    private let found = Mutex<[Unsound]>([])

    var all: [Unsound] { found.withLock { $0 } }

    func take(_ payload: [UInt8]) {
      guard let line = try? ControlLine(payload: payload), let session = try? line.identifier("session"),
        let index: UInt64 = try? line.integer("index"), index <= UInt64(Int64.max)
      else { return }
      let content = ContentIdentifier(session: session, index: index)
      let reason = (try? line.text("reason")) ?? "its data is damaged"
      found.withLock { $0.append(Unsound(content: content, reason: reason)) }
    }
  }

  private static func damage(_ found: Unsound, _ catalog: any CatalogStore) throws -> Damage {
    let place = try catalog.locations(of: found.content, size: 1).first
    let volume = try place.flatMap { place in try catalog.volumes().first { $0.identifier == place.volume } }
    let block = place?.block.block ?? 0
    var damage = Damage(
      volume: volume?.name ?? "", blocks: block..<(volume == nil ? block : block + 1), reason: found.reason)
    damage.add(found.content.session, found.content.index...found.content.index)
    return damage
  }

  // MARK: The report

  /// Tells the console of everything found. Blocks its thread.
  private func tell(_ totals: Totals) throws -> Reply {
    let catalog = director.catalog
    for note in totals.notes {
      var line = ControlLine("note")
      line.set("text", note)
      try send(line)
    }
    for (number, damage) in totals.damage.all.enumerated() { try send(damage.line(number: number)) }
    let lost = totals.damage.all.enumerated().flatMap { number, damage in
      damage.contents.map { DamagedContents(damage: number, session: $0.session, indexes: $0.indexes) }
    }
    if !lost.isEmpty {
      try catalog.findAffected(lost)
      var jobs: [Tree: [JobRecord]] = [:]
      var row: Int64? = 0
      while let after = row {
        var page: [AffectedEntry] = []
        row = try catalog.readAffected(after: after, limit: Self.rowsPerPage) { page.append($0) }
        for entry in page {
          let known = try jobs[entry.tree] ?? catalog.jobs(of: entry.tree)
          jobs[entry.tree] = known
          try send(Self.line(entry, known))
        }
        if cancel.isSet { throw DirectorError.verificationInterrupted }
      }
    }
    var reply = Reply(.directorOK)
    reply.line.set("damages", totals.damage.all.count)
    reply.line.set("jobs", try catalog.jobs(of: nil).count)
    reply.line.set("volumes", totals.volumes)
    reply.line.set("blocks", totals.blocks)
    reply.line.set("bytes", totals.bytes)
    reply.line.set("contents", totals.contents)
    reply.line.set("content-bytes", totals.contentBytes)
    return reply
  }

  private func send(_ line: ControlLine) throws {
    try line.encoded().withUnsafeBytes { try console.sendFrameBlocking(.listing, $0) }
  }

  private static func line(_ entry: AffectedEntry, _ jobs: [JobRecord]) -> ControlLine {
    var line = ControlLine("lost")
    line.set("damage", entry.damage)
    line.set("path", entry.path)
    line.set("size", entry.size)
    line.set("host", entry.tree.host)
    line.set("name", entry.tree.name)
    let first = jobs.first { $0.description.sequence == entry.first }
    if let first { line.set("first-job", first.description.number) }
    if let end = entry.last {
      let last = jobs.last { job in
        let sequence = job.description.sequence
        return sequence < end && (job.status.isPublished || sequence == entry.first)
      }
      if let last { line.set("last-job", last.description.number) }
    }
    return line
  }
}
