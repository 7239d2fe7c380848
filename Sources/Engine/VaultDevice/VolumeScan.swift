import VaultModel
import VaultProtocol

/// Everything that volumes say by themselves.
package struct ScanReport: Hashable, Sendable {
  /// The volumes that have a label, ordered as they were made; an end lies behind the last block that counts.
  package var volumes: [Volume] = []
  /// Their labels, in the same order.
  package var labels: [VolumeLabel] = []
  /// All sessions, by job number; commits that are not whole say what is missing.
  package var sessions: [RecoveredSession] = []
  package var damage: [VolumeDamage] = []
  /// Bytes behind the last block that counts that are no block: damage, or the torn end that a crash left.
  package var tornEnds: [VolumeDamage] = []
  /// What the volumes say of dropped jobs.
  package var retention: [RetentionRecord] = []
  /// Volumes that do not count; nothing else is said of them.
  package var leftOut: [LeftOutVolume] = []

  package init() {}
}

/// Rebuilds from volumes alone what a catalog would know; damage and missing volumes cost only what they held.
///
/// Dead blocks are skipped. Add all volumes that count, in any order and from any store, then `finish`; `run` does.
/// - Bounds: memory grows with the number of groups, about 80 bytes for each; block contents are not kept.
package struct VolumeScan {
  private struct Scanned {
    var label: VolumeLabel
    var name: String
    /// Where damage ends, for telling damage below the end from a torn tail.
    var damage: [(offset: UInt64, byteCount: UInt64)] = []
  }

  private var scanned: [Scanned] = []
  private var collector = SessionCollector()
  private var report = ScanReport()

  package init() {}

  /// Reads volume files to their ends, but for those whose place others take.
  package static func run(_ files: [(name: String, store: any VolumeStore)]) -> ScanReport {
    let replacements = VolumeReplacements(files)
    var scan = VolumeScan()
    for (index, file) in files.enumerated() where replacements.leftOut[index] == nil {
      scan.add(file.name, in: file.store)
    }
    var report = scan.finish()
    report.leftOut = replacements.leftOut.sorted { $0.key < $1.key }.map(\.value)
    return report
  }

  /// Reads a volume to its end; what is wrong with it goes into the report.
  package mutating func add(_ name: String, in store: any VolumeStore) {
    do throws(DeviceError) {
      let file: any VolumeFile
      let size: UInt64
      do throws(StoreError) {
        file = try store.open(name, forAppending: false)
        size = try file.size()
      } catch { throw DeviceError(error, volume: name) }
      let label = try label(of: file, name, size)
      guard !scanned.contains(where: { $0.label.identifier == label.identifier }) else {
        throw DeviceError(
          .labelMismatch(found: label.record.name, foundIdentifier: label.identifier), volume: name)
      }
      scanned.append(Scanned(label: label, name: name))
      try scan(file, label, name, size)
    } catch {
      report.damage.append(VolumeDamage(.volume(error), volume: name))
    }
  }

  /// The label, or what takes its place when only it is damaged: the first whole block behind it names the volume.
  private mutating func label(
    of file: any VolumeFile, _ name: String, _ size: UInt64
  ) throws(DeviceError) -> VolumeLabel {
    do throws(DeviceError) { return try VolumeLabel.read(file, name: name) } catch {
      guard case .damagedLabel = error.kind,
        let identifier = try VolumeScanner.identify(file, name: name, size: size)
      else { throw error }
      report.damage.append(VolumeDamage(.volume(error), volume: name))
      return VolumeLabel(standingInFor: identifier, repository: .none, name: name)
    }
  }

  private mutating func scan(
    _ file: any VolumeFile, _ label: VolumeLabel, _ name: String, _ size: UInt64
  ) throws(DeviceError) {
    let index = scanned.count - 1
    var scanner = VolumeScanner(
      file: file, label: label, name: name, from: UInt64(VolumeLabel.paddedByteCount), to: size)
    while let event = try scanner.next() {
      switch event {
      case .damage(let offset, let byteCount): scanned[index].damage.append((offset, byteCount))
      case .block(let header, let address):
        let position = BlockPosition(volume: index, address: address, byteCount: header.paddedByteCount)
        if !collector.add(header, scanner.payload, at: position) {
          report.damage.append(VolumeDamage(.content(address), volume: name))
        }
      }
    }
  }

  /// What was found.
  package consuming func finish() -> ScanReport {
    var report = self.report
    var table = scanned.map { scanned in
      ScannedVolume(
        volume: Volume(
          identifier: scanned.label.identifier, name: scanned.name, status: .full, end: VolumeLabel.firstBlock,
          labeled: scanned.label.record.labeled),
        label: scanned.label)
    }
    let newest = table.indices.max { VolumeName.isBefore(table[$0].volume.name, table[$1].volume.name) }
    var ends = table.map(\.volume.end.byteOffset)
    for trace in collector.sessions.values { Self.cover(trace, &ends) }
    for block in collector.volumeBlocks { ends[block.volume] = max(ends[block.volume], block.end) }
    report.retention = collector.retention
    for index in table.indices {
      table[index].volume.end = BlockAddress(byteOffset: ends[index])
      for damage in scanned[index].damage {
        let found = VolumeDamage(
          .bytes(offset: damage.offset, byteCount: damage.byteCount), volume: table[index].volume.name)
        if damage.offset < ends[index] {
          table[index].volume.status = .error
          report.damage.append(found)
        } else {
          report.tornEnds.append(found)
        }
      }
    }
    if let newest, table[newest].volume.status == .full { table[newest].volume.status = .append }
    for session in collector.order {
      guard let trace = collector.sessions[session] else { continue }
      report.sessions.append(Self.recovered(session, trace, table, &report.damage))
    }
    report.sessions.sort { ($0.job?.number ?? .max) < ($1.job?.number ?? .max) }
    let order = table.indices.sorted { VolumeName.isBefore(table[$0].volume.name, table[$1].volume.name) }
    report.volumes = order.map { table[$0].volume }
    report.labels = order.compactMap { table[$0].label }
    return report
  }

  /// Moves the ends behind everything that commits and session ends cover.
  private static func cover(_ trace: SessionTrace, _ ends: inout [UInt64]) {
    var positions: [BlockPosition] = []
    for commit in trace.countedCommits {
      positions.append(commit.position)
      if let start = trace.starts[commit.attempt] { positions.append(start) }
      positions.append(contentsOf: trace.judge(commit).groups.map(\.position))
    }
    positions.append(contentsOf: trace.uncoveredTail.map(\.position))
    if let end = trace.end { positions.append(end) }
    for position in positions { ends[position.volume] = max(ends[position.volume], position.end) }
  }

  private static func recovered(
    _ session: UniqueIdentifier, _ trace: SessionTrace, _ table: [ScannedVolume],
    _ damage: inout [VolumeDamage]
  ) -> RecoveredSession {
    var commits: [RecoveredCommit] = []
    for commit in trace.countedCommits {
      let verdict = trace.judge(commit)
      if !verdict.isWhole {
        damage.append(
          VolumeDamage(
            .commit(session: session, number: commit.record.number), volume: table[commit.position.volume].volume.name))
      }
      commits.append(trace.recovered(commit, verdict, in: table))
    }
    let tail = trace.uncoveredTail
    if let last = tail.last {
      let number = min(commits.last?.number ?? 0, UInt64(Int64.max) - 1) + 1
      damage.append(
        VolumeDamage(.commit(session: session, number: number), volume: table[last.position.volume].volume.name))
      commits.append(
        trace.recovered(
          number: number, attempt: trace.endAttempt, CommitVerdict(groups: Array(tail), missing: [], isWhole: false),
          ends: [:], in: table))
    }
    return RecoveredSession(
      session: session, job: trace.job, commits: commits, outcome: trace.outcome,
      state: commits.last.flatMap { trace.record($0.number) }.map(ResumeState.init(after:)) ?? .beginning,
      highestAttempt: trace.highestAttempt)
  }
}

extension ScanReport {
  /// The damage but for groups that are missing where jobs were dropped: they may have gone with these.
  package var unexplainedDamage: [VolumeDamage] {
    guard !retention.isEmpty else { return damage }
    let trees = Dictionary(sessions.map { ($0.session, $0.job?.tree) }) { first, _ in first }
    let dropped = Set(retention.map(\.retention.tree))
    return damage.filter { damage in
      guard case .commit(let session, _) = damage.kind else { return true }
      // Of a dropped job any part may be left.
      guard let tree = trees[session] ?? nil else { return false }
      return !dropped.contains(tree)
    }
  }
}

extension Device {
  /// Everything that volumes of the device's store say by themselves.
  ///
  /// - Parameter names: the files to read; nil for everything that is named like a volume.
  /// - Throws: `.io` when the store cannot be listed; whatever is wrong with a volume goes into the report.
  package func scanAll(volumes names: [String]? = nil) throws(DeviceError) -> ScanReport {
    let found: [String]
    do throws(StoreError) { found = try store.names() } catch { throw DeviceError(error, volume: "") }
    let chosen = (names ?? found.filter { VolumeName.number($0) != nil }).sorted(by: VolumeName.isBefore)
    return VolumeScan.run(chosen.map { ($0, store) })
  }
}
