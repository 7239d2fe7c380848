import VaultModel
import VaultProtocol

extension Recovery {
  /// A commit beyond a known end, judged.
  private struct Judged {
    var commit: FoundCommit
    var verdict: CommitVerdict
  }

  // MARK: Commits that build on what lies below a known end

  /// Scans volumes below their known ends as far as commits beyond these need it.
  ///
  /// That is so when another session's commit moved an end over blocks that were not yet committed.
  mutating func scanBelowEndsIfNeeded() throws(DeviceError) {
    for index in candidates.indices.reversed() {
      guard isNeeded(index) else { continue }
      try scanBelowEnd(index)
    }
  }

  private func isNeeded(_ index: Int) -> Bool {
    let candidate = candidates[index]
    guard !candidate.isScannedWhole, candidate.knownEnd > UInt64(VolumeLabel.paddedByteCount) else { return false }
    return collector.sessions.values.contains { trace in
      guard let first = firstBeyondEnd(trace) else { return false }
      // A commit on a failed volume may be void: a later attempt, on a later volume, went on from before it.
      if candidates[first.position.volume].volume.status == .error, first.position.volume < index { return true }
      guard !trace.judge(first).isWhole else { return false }
      // What the commit adds lies behind the start of its attempt, and behind the commit before it.
      let lower = [trace.starts[first.attempt], trace.commit(first.record.number - 1)?.position].compactMap { $0 }.max()
      guard let lower else { return true }
      return lower.volume < index || (lower.volume == index && lower.end < candidate.knownEnd)
    }
  }

  private func firstBeyondEnd(_ trace: SessionTrace) -> FoundCommit? {
    trace.liveCommits.first(where: isBeyondEnd)
  }

  private func isBeyondEnd(_ commit: FoundCommit) -> Bool {
    commit.position.address.byteOffset >= candidates[commit.position.volume].knownEnd
  }

  private mutating func scanBelowEnd(_ index: Int) throws(DeviceError) {
    candidates[index].isScannedWhole = true
    let name = candidates[index].volume.name
    do throws(DeviceError) {
      let file: any VolumeFile
      do throws(StoreError) { file = try store.open(name, forAppending: false) } catch {
        throw DeviceError(error, volume: name)
      }
      let label = try VolumeLabel.read(file, name: name)
      try label.check(is: candidates[index].volume.identifier, of: repository, name: name)
      var scanner = VolumeScanner(
        file: file, label: label, name: name, from: UInt64(VolumeLabel.paddedByteCount), to: candidates[index].knownEnd)
      while let event = try scanner.next() {
        switch event {
        case .block(let header, let address):
          let position = BlockPosition(volume: index, address: address, byteCount: header.paddedByteCount)
          if !collector.add(header, scanner.payload, at: position) { damagedContent(address, name) }
        case .damage(let offset, let byteCount):
          // A condemned volume may hold torn blocks of sessions that were aborted.
          if candidates[index].volume.status == .error { continue }
          report.damage.append(VolumeDamage(.bytes(offset: offset, byteCount: byteCount), volume: name))
          isIncomplete = true
          candidates[index].isLeftAlone = true
          candidates[index].volume.status = .error
        }
      }
    } catch {
      if case .newerFormat = error.kind { throw error }
      isIncomplete = true
      report.damage.append(VolumeDamage(.volume(error), volume: name))
    }
  }

  // MARK: Settling ends

  /// Decides what counts, cuts the rest and fills the report.
  mutating func settle() {
    var covered = candidates.map(\.knownEnd)
    for session in collector.order {
      guard let trace = collector.sessions[session] else { continue }
      settle(session, trace, &covered)
    }
    for index in candidates.indices { cut(index, to: covered[index]) }
    // Only the newest volume is appended to, so that a session's blocks never go back to an older one.
    var hasNewer = false
    for index in candidates.indices.reversed() where candidates[index].volume.status == .append {
      if hasNewer { candidates[index].volume.status = .full }
      hasNewer = true
    }
    report.volumes = candidates.map(\.volume)
    refreshCommitVolumes()
  }

  private mutating func settle(_ session: UniqueIdentifier, _ trace: SessionTrace, _ covered: inout [UInt64]) {
    let table = candidates.map { ScannedVolume(volume: $0.volume, label: $0.label) }
    var counted: [RecoveredCommit] = []
    var state: ResumeState?
    var broken: UInt64?
    for commit in trace.liveCommits.filter(isBeyondEnd) {
      let verdict = trace.judge(commit)
      guard verdict.isWhole else {
        broken = broken ?? commit.record.number
        continue
      }
      // A whole commit is never cut; behind a broken one it cannot count, so the volume is left for a person to look at.
      cover(trace, commit, verdict, &covered)
      if let broken {
        leaveAlone(commit.position.volume, session, broken)
        continue
      }
      if let last = counted.last, last.number + 1 != commit.record.number {
        leaveAlone(commit.position.volume, session, last.number + 1)
        continue
      }
      counted.append(trace.recovered(commit, verdict, in: table))
      state = ResumeState(after: commit.record)
    }
    let outcome = isEnded(trace, &covered) ? trace.outcome : nil
    guard !counted.isEmpty || outcome != nil else { return }
    report.sessions.append(
      RecoveredSession(
        session: session, job: trace.job ?? job(of: session, lastVolume: candidates.count - 1), commits: counted,
        outcome: broken == nil ? outcome : nil,
        state: state ?? trace.lastState, highestAttempt: trace.highestAttempt))
  }

  /// Whether the session's end lies beyond a known end; it then counts as covered.
  private func isEnded(_ trace: SessionTrace, _ covered: inout [UInt64]) -> Bool {
    guard let end = trace.end, end.address.byteOffset >= candidates[end.volume].knownEnd else { return false }
    covered[end.volume] = max(covered[end.volume], end.end)
    return true
  }

  private func cover(
    _ trace: SessionTrace, _ commit: FoundCommit, _ verdict: CommitVerdict, _ covered: inout [UInt64]
  ) {
    var positions = verdict.groups.map(\.position)
    positions.append(commit.position)
    if let start = trace.starts[commit.attempt] { positions.append(start) }
    for position in positions { covered[position.volume] = max(covered[position.volume], position.end) }
  }

  private mutating func leaveAlone(_ index: Int, _ session: UniqueIdentifier, _ number: UInt64) {
    candidates[index].isLeftAlone = true
    candidates[index].volume.status = .error
    report.damage.append(
      VolumeDamage(.commit(session: session, number: number), volume: candidates[index].volume.name))
  }

  /// Cuts a volume behind its last block that counts.
  private mutating func cut(_ index: Int, to end: UInt64) {
    var candidate = candidates[index]
    candidate.volume.end = BlockAddress(byteOffset: end)
    if let size = candidate.size, candidate.volume.status == .error, candidate.file != nil {
      // What lies there was looked at, and nothing is added to a failed volume: the next start need not look again.
      candidate.volume.end = BlockAddress(byteOffset: max(end, size))
    }
    if let size = candidate.size, size > end, isIncomplete {
      // What lies there may count once everything can be read again: until then nothing is cut, nor appended.
      if candidate.volume.status == .append { candidate.volume.status = .full }
      candidate.isLeftAlone = true
    }
    if let size = candidate.size, let file = candidate.file, !candidate.isLeftAlone, size != end {
      let name = candidate.volume.name
      do throws(StoreError) {
        // The last block's padding may be missing behind a torn end: then this makes the file longer.
        try file.truncate(to: end)
        try file.synchronize()
        try file.close()
      } catch {
        let failure = DeviceError(.io(call: error.call, errno: error.errno), volume: name)
        report.damage.append(VolumeDamage(.volume(failure), volume: name))
        candidate.volume.status = .error
      }
      if size > end, candidate.volume.status != .error {
        let blockCount = candidate.blockEnds.filter { $0 > end }.count
        report.cuts.append(VolumeCut(volume: name, byteCount: size - end, blockCount: blockCount))
      }
    }
    candidate.file = nil
    candidates[index] = candidate
  }

  /// Gives the volumes of each commit the status that they have now.
  private mutating func refreshCommitVolumes() {
    let status = Dictionary(candidates.map { ($0.volume.identifier, $0.volume.status) }) { first, _ in first }
    for session in report.sessions.indices {
      for commit in report.sessions[session].commits.indices {
        for volume in report.sessions[session].commits[commit].volumes.indices {
          let identifier = report.sessions[session].commits[commit].volumes[volume].identifier
          report.sessions[session].commits[commit].volumes[volume].status = status[identifier] ?? .error
        }
      }
    }
  }
}
