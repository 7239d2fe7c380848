import VaultModel
import VaultProtocol

/// A volume of a scan.
struct ScannedVolume {
  var volume: Volume
  var label: VolumeLabel?
}

/// Gathers from verified blocks what there is of each session.
struct SessionCollector {
  /// The only session to gather; nil for all.
  var only: UniqueIdentifier?
  private(set) var sessions: [UniqueIdentifier: SessionTrace] = [:]
  /// Sessions in the order in which they were met.
  private(set) var order: [UniqueIdentifier] = []
  /// What retention blocks say.
  private(set) var retention: [RetentionRecord] = []
  /// Blocks that belong to no session and count: what says that jobs were dropped or a volume was replaced.
  private(set) var volumeBlocks: [BlockPosition] = []

  /// Takes a verified block.
  ///
  /// - Returns: whether its content is what its kind says; what came before a malformed part is taken.
  mutating func add(_ header: BlockHeader, _ payload: UnsafeRawBufferPointer, at position: BlockPosition) -> Bool {
    guard header.kind != .label else { return position.address.block == 0 }
    if header.kind == .retention { return addRetention(payload, position) }
    if header.kind == .replacement {
      volumeBlocks.append(position)
      return Self.isReplacement(payload)
    }
    if let only, header.session != only { return true }
    if sessions[header.session] == nil {
      sessions[header.session] = SessionTrace()
      order.append(header.session)
    }
    guard var trace = sessions.removeValue(forKey: header.session) else { return false }
    defer { sessions[header.session] = trace }
    trace.highestAttempt = max(trace.highestAttempt, header.attempt)
    do throws(FormatError) {
      switch header.kind {
      case .label, .retention, .replacement: return false
      case .sessionStart: try Self.addStart(header, payload, position, to: &trace)
      case .groups: return try Self.addGroups(header, payload, position, to: &trace)
      case .sessionEnd:
        trace.end = position
        trace.endAttempt = header.attempt
        var records = RecordReader(payload)
        guard case .jobEnd(let outcome)? = try records.next() else { return false }
        trace.outcome = outcome
      }
      return true
    } catch {
      return false
    }
  }

  private mutating func addRetention(_ payload: UnsafeRawBufferPointer, _ position: BlockPosition) -> Bool {
    if only != nil { return true }
    volumeBlocks.append(position)
    do throws(FormatError) {
      var records = RecordReader(payload)
      while let record = try records.next() {
        guard case .retention(let retention) = record else { return false }
        self.retention.append(retention)
      }
      return true
    } catch {
      return false
    }
  }

  private static func isReplacement(_ payload: UnsafeRawBufferPointer) -> Bool {
    var records = RecordReader(payload)
    guard case .replacement? = try? records.next() else { return false }
    return true
  }

  private static func addStart(
    _ header: BlockHeader, _ payload: UnsafeRawBufferPointer, _ position: BlockPosition, to trace: inout SessionTrace
  ) throws(FormatError) {
    var base: CommitRecord?
    var records = RecordReader(payload)
    defer { trace.addStart(position, attempt: header.attempt, base: base) }
    while let record = try records.next() {
      switch record {
      case .job(let job): if job.session == header.session { trace.job = trace.job ?? job }
      case .commit(let commit): base = commit
      default: break
      }
    }
  }

  private static func addGroups(
    _ header: BlockHeader, _ payload: UnsafeRawBufferPointer, _ position: BlockPosition, to trace: inout SessionTrace
  ) throws(FormatError) -> Bool {
    var groups = GroupSequence(payload)
    while let group = try groups.next() {
      guard group.header.session == header.session, group.header.attempt == header.attempt else { return false }
      try group.verify()
      if group.header.kind == .commit {
        guard group.header.codec == .none else { return false }
        var records = RecordReader(group.stored)
        guard case .commit(let commit)? = try records.next() else { return false }
        trace.add(FoundCommit(record: commit, attempt: header.attempt, position: position))
      } else {
        trace.add(FoundGroup(group.header, position), attempt: header.attempt)
      }
    }
    return true
  }
}

extension SessionTrace {
  /// A commit as the scan's caller sees it.
  func recovered(_ commit: FoundCommit, _ verdict: CommitVerdict, in volumes: [ScannedVolume]) -> RecoveredCommit {
    recovered(
      number: commit.record.number, attempt: commit.attempt, verdict,
      ends: [commit.position.volume: commit.position.end], in: volumes)
  }

  /// A commit whose own record may be lost.
  func recovered(
    number: UInt64, attempt: UInt32, _ verdict: CommitVerdict, ends: [Int: UInt64], in volumes: [ScannedVolume]
  ) -> RecoveredCommit {
    var ends = ends
    let groups = verdict.groups.map { group -> GroupLocation in
      let index = group.position.volume
      ends[index] = max(ends[index] ?? 0, group.position.end)
      return GroupLocation(
        group: group.number, kind: group.kind, firstEntry: group.firstEntry, firstOffset: group.firstOffset,
        volume: volumes[index].volume.identifier, block: group.position.address, storedLength: group.totalLength,
        rawLength: group.rawLength)
    }
    let touched = ends.sorted { $0.key < $1.key }.map { index, end -> Volume in
      var volume = volumes[index].volume
      volume.end = BlockAddress(byteOffset: end)
      return volume
    }
    return RecoveredCommit(
      number: number, attempt: attempt, groups: groups, missing: verdict.missing,
      isWhole: verdict.isWhole, volumes: touched)
  }
}
