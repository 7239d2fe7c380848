import VaultCatalog
import VaultModel
import VaultProtocol
import VaultScheduler
import VaultSession
import VaultSystem

/// Rewrites the volumes that have little left in them, and tells of each volume how much of it is needed.
struct Compaction: Sendable {
  let director: Director
  let console: Channel
  let cancel: CancelSignal

  /// What became of the volumes.
  struct Totals: Sendable {
    var rewrittenCount = 0
    /// Bytes that the old volumes took and the new ones do not.
    var byteCount: UInt64 = 0
  }

  private struct Candidate: Sendable {
    var volume: Volume
    var rule: CompactionRule
    var isNeeded: Bool

    init(_ need: VolumeNeed) {
      volume = need.volume
      isNeeded = need.isNeeded
      rule = CompactionRule(
        byteCount: need.volume.end.byteCount, groupByteCount: need.groupByteCount, jobCount: need.jobCount,
        status: need.volume.status, isGoingOn: need.isGoingOn)
    }
  }

  /// Tells what would be rewritten if jobs were dropped, and changes nothing.
  func preview(dropping numbers: [JobNumber]) async throws {
    let (catalog, now) = (director.catalog, director.clock.now())
    try await onThread(name: "vault-list") {
      for need in try catalog.volumeNeeds(ifDropping: numbers, at: now) {
        let candidate = Candidate(need)
        // What only dropped jobs needed goes whole.
        let action = !need.isNeeded && !numbers.isEmpty ? "free" : candidate.rule.isRewritten ? "rewrite" : "keep"
        try tell(candidate, action, action == "free" ? "nothing that it holds would be needed" : candidate.rule.reason)
      }
    }
  }

  func run() async throws -> Totals {
    let storage = try await director.diallers.storage()
    defer { storage.close() }
    let (catalog, now) = (director.catalog, director.clock.now())
    return try await onThread(name: "vault-compact") {
      // The smallest first: what it gives back makes room for the next.
      let candidates = try catalog.volumeNeeds(ifDropping: [], at: now).map(Candidate.init)
      for candidate in candidates where !candidate.rule.isRewritten {
        try tell(candidate, "keep", candidate.rule.reason)
      }
      let chosen = candidates.filter(\.rule.isRewritten).sorted { $0.rule.neededByteCount < $1.rule.neededByteCount }
      let total = chosen.reduce(0 as UInt64) { $0 + $1.rule.byteCount }
      var rewriting = try VolumeRewriting(storage: storage, catalog: catalog, cancel: cancel) {
        showProgress($0, total)
      }
      var totals = Totals()
      for candidate in chosen {
        if cancel.isSet { throw DirectorError.compactionInterrupted }
        do {
          try rewrite(candidate, &rewriting, &totals)
        } catch let error as PeerRefusal {
          try tell(candidate, "fail", error.description, status: error.exitStatus)
        }
      }
      return totals
    }
  }

  private func rewrite(
    _ candidate: Candidate, _ rewriting: inout VolumeRewriting, _ totals: inout Totals
  ) throws {
    guard let new = try rewriting.rewrite(candidate.volume) else {
      return try tell(candidate, "keep", "rewriting it would gain nothing")
    }
    totals.rewrittenCount += 1
    totals.byteCount += candidate.rule.byteCount - min(candidate.rule.byteCount, new.end.byteCount)
    try tell(candidate, "rewrite", candidate.rule.reason, new: new)
  }

  // MARK: The console

  private func tell(
    _ candidate: Candidate, _ action: String, _ reason: String, new: Volume? = nil, status: ExitStatus? = nil
  ) throws {
    var line = ControlLine("volume", words: [ByteString(candidate.volume.name)])
    line.set("bytes", candidate.rule.byteCount)
    line.set("needed", candidate.rule.neededByteCount)
    line.set("action", action)
    line.set("reason", reason)
    if let new {
      line.set("new", new.name)
      line.set("new-bytes", new.end.byteCount)
    }
    if let status { line.set("status", Int(status.rawValue)) }
    try line.encoded().withUnsafeBytes { try console.sendFrameBlocking(.listing, $0) }
  }

  private func showProgress(_ byteCount: UInt64, _ total: UInt64) {
    var line = ControlLine("progress")
    line.set("entries", 0)
    line.set("bytes", byteCount)
    line.set("read", byteCount)
    line.set("sent", 0)
    line.set("problems", 0)
    line.set("total-entries", 0)
    line.set("total-bytes", total)
    // A console that is gone is noticed as a cancel.
    try? line.encoded().withUnsafeBytes { try console.sendFrameBlocking(.progress, $0) }
  }
}

extension BlockAddress {
  /// The bytes of a volume that ends there.
  var byteCount: UInt64 { UInt64(block) * 4096 }
}
