import VaultModel
import VaultProtocol

extension Device {
  /// Whether the volumes may hold commits of a session behind a given one: a session without any that was not opened here since
  /// recovery has none.
  package func mayHold(_ session: UniqueIdentifier, after commit: UInt64) -> Bool {
    commit > 0 || state.withLock { $0.sessionStarts[session] != nil }
  }

  /// A session's commits behind a given one, read from the volumes: what a catalog that trails lacks.
  ///
  /// - Parameters:
  ///   - commit: the last commit that the caller has; 0 for none.
  ///   - lastGroup: where that commit's last group lies: reading begins there instead of at the beginning.
  /// - Returns: the acknowledged commits, every one whole.
  /// - Throws: `.damagedCommit` when an acknowledged commit cannot be read back whole, `.commitNotFound` when the given
  ///   one is not there, and what reading throws.
  package func replay(
    session: UniqueIdentifier, after commit: UInt64, lastGroup: GroupLocation? = nil
  ) throws(DeviceError) -> RecoveredSession {
    var table: [ScannedVolume] = []
    let trace = try collect(session, from: lastGroup, into: &table) { _ in false }
    guard let before = trace.state(before: commit + 1) else {
      throw DeviceError(.commitNotFound(session: session, number: commit))
    }
    var commits: [RecoveredCommit] = []
    var state = before
    for found in trace.countedCommits where found.record.number > commit {
      let verdict = trace.judge(found)
      guard verdict.isWhole, found.record.number == state.nextCommit else {
        throw DeviceError(
          .damagedCommit(session: session, number: state.nextCommit), volume: table[found.position.volume].volume.name)
      }
      commits.append(trace.recovered(found, verdict, in: table))
      state = ResumeState(after: found.record)
    }
    return RecoveredSession(
      session: session, job: trace.job, commits: commits, outcome: trace.outcome, state: state,
      highestAttempt: trace.highestAttempt)
  }

  /// What an attempt that continues after a commit builds on, read from the volumes.
  ///
  /// - Parameters:
  ///   - commit: the last commit that the director's catalog holds; 0 for none.
  ///   - lastGroup: where that commit's last group lies: the commit is in the same block or soon behind it.
  /// - Throws: `.commitNotFound` when it is not there, or ends with another group.
  package func resumeState(
    of session: UniqueIdentifier, after commit: UInt64, lastGroup: GroupLocation?
  ) throws(DeviceError) -> ResumeState {
    if commit == 0 { return .beginning }
    var table: [ScannedVolume] = []
    let trace = try collect(session, from: lastGroup, into: &table) { $0.record(commit) != nil }
    guard let record = trace.record(commit),
      lastGroup.map({ record.ranges.last?.groups.upperBound == $0.group }) ?? true
    else { throw DeviceError(.commitNotFound(session: session, number: commit)) }
    return ResumeState(after: record)
  }

  /// Gathers what there is of a session below the acknowledged ends, from a location on, until enough is found.
  private func collect(
    _ session: UniqueIdentifier, from location: GroupLocation?, into table: inout [ScannedVolume],
    until isEnough: (SessionTrace) -> Bool
  ) throws(DeviceError) -> SessionTrace {
    let (all, start) = state.withLock { state in
      (state.volumes, location.map { GroupAddress(volume: $0.volume, block: $0.block) } ?? state.sessionStarts[session])
    }
    table = all.values.sorted { VolumeName.isBefore($0.name, $1.name) }.map { ScannedVolume(volume: $0, label: nil) }
    var first = 0
    if let start {
      guard let index = table.firstIndex(where: { $0.volume.identifier == start.volume }) else {
        throw DeviceError(.unknownVolume(start.volume))
      }
      first = index
    }
    var collector = SessionCollector(only: session)
    for index in first..<table.count {
      let isFirst = index == first && start != nil
      let block = isFirst ? start?.block ?? VolumeLabel.firstBlock : VolumeLabel.firstBlock
      if try scan(table[index].volume, index, from: block, &collector, isEnough) { break }
    }
    return collector.sessions[session] ?? SessionTrace()
  }

  /// Scans a volume up to its acknowledged end.
  ///
  /// - Returns: whether enough was found.
  private func scan(
    _ volume: Volume, _ index: Int, from start: BlockAddress, _ collector: inout SessionCollector,
    _ isEnough: (SessionTrace) -> Bool
  ) throws(DeviceError) -> Bool {
    guard start < volume.end else { return false }
    let file: any VolumeFile
    do throws(StoreError) { file = try store.open(volume.name, forAppending: false) } catch {
      throw DeviceError(error, volume: volume.name)
    }
    let label = try VolumeLabel.read(file, name: volume.name)
    try label.check(is: volume.identifier, of: parameters.repository, name: volume.name)
    var scanner = VolumeScanner(
      file: file, label: label, name: volume.name, from: start.byteOffset, to: volume.end.byteOffset)
    while let event = try scanner.next() {
      guard case .block(let header, let address) = event, let session = collector.only, header.session == session else {
        continue
      }
      let position = BlockPosition(volume: index, address: address, byteCount: header.paddedByteCount)
      guard collector.add(header, scanner.payload, at: position) else {
        throw DeviceError(.damagedBlock(.malformedContent, address), volume: volume.name)
      }
      if let trace = collector.sessions[session], isEnough(trace) { return true }
    }
    return false
  }
}
