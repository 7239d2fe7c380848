import VaultModel
import VaultProtocol

/// What giving up volumes came to.
package struct RetentionResult: Hashable, Sendable {
  /// The volumes whose files may go.
  package var free: [Volume]
  /// Volumes that were written to or changed their status.
  package var changed: [Volume]
}

extension Device {
  /// Decides which volumes may go, and writes down which jobs were dropped, on a volume that stays.
  ///
  /// A volume stays when it holds a session's start, end or last commit that a rebuilt catalog needs.
  /// - Parameters:
  ///   - records: whole retention records; they are stored as they are.
  ///   - sessions: those that a rebuilt catalog needs, with the numbers of their last groups.
  /// - Durability: the records are on stable storage when it returns.
  package func retain(
    _ records: [[UInt8]], giveUp candidates: [Volume], needed sessions: [UniqueIdentifier: UInt64]
  ) throws(DeviceError) -> RetentionResult {
    var free: [Volume] = []
    for volume in candidates {
      guard let known = state.withLock({ $0.volumes[volume.identifier] }) else { continue }
      if try !isNeeded(known, sessions) { free.append(known) }
    }
    let leaving = Set(free.map(\.identifier))
    var ends: [UniqueIdentifier: UInt64] = [:]
    try current.withLock { (current) throws(DeviceError) in
      // Nothing more goes onto a volume that is about to go.
      if let volume = current, leaving.contains(volume.identifier) { current = nil }
      state.withLock { state in
        for identifier in leaving where state.volumes[identifier]?.status == .append {
          state.volumes[identifier]?.status = .full
          state.changed.insert(identifier)
        }
      }
      for block in try blocks(records) { try append(block, &current, &ends) }
    }
    try synchronize(ends)
    return RetentionResult(free: free, changed: acknowledge(ends))
  }

  /// Removes the files of volumes, and forgets them.
  ///
  /// - Durability: they do not come back once it returned.
  package func purge(_ volumes: [Volume]) throws(DeviceError) {
    for volume in volumes {
      try Self.remove(volume, from: store, parameters.repository)
      reader.forget(volume.identifier)
      state.withLock { state in
        state.volumes[volume.identifier] = nil
        state.changed.remove(volume.identifier)
        state.sessionStarts = state.sessionStarts.filter { $0.value.volume != volume.identifier }
      }
    }
  }

  /// Removes a volume's file; one of another volume under its name stays.
  ///
  /// - Returns: whether there was one.
  @discardableResult
  static func remove(
    _ volume: Volume, from store: any VolumeStore, _ repository: UniqueIdentifier
  ) throws(DeviceError) -> Bool {
    do throws(DeviceError) {
      let file: any VolumeFile
      do throws(StoreError) { file = try store.open(volume.name, forAppending: false) } catch {
        throw DeviceError(error, volume: volume.name)
      }
      let label = try VolumeLabel.read(file, name: volume.name)
      guard label.identifier == volume.identifier else { return false }
    } catch {
      switch error.kind {
      case .volumeMissing: return false
      case .damagedLabel: break
      default: throw error
      }
    }
    do throws(StoreError) { try store.remove(volume.name) } catch { throw DeviceError(error, volume: volume.name) }
    return true
  }

  // MARK: What is needed

  /// Walks from header to header: a volume costs one small read for each block.
  private func isNeeded(
    _ volume: Volume, _ sessions: [UniqueIdentifier: UInt64]
  ) throws(DeviceError) -> Bool {
    let file: any VolumeFile
    do throws(StoreError) { file = try store.open(volume.name, forAppending: false) } catch {
      // What is not there holds nothing.
      guard error.errno == .noSuchFileOrDirectory else { throw DeviceError(error, volume: volume.name) }
      return false
    }
    do throws(DeviceError) {
      let label = try VolumeLabel.read(file, name: volume.name)
      try label.check(is: volume.identifier, of: parameters.repository, name: volume.name)
    } catch {
      if case .io = error.kind { throw error }
      return true
    }
    var walk = BlockHeaderWalk(file: file, volume: volume.identifier, name: volume.name, to: volume.end.byteOffset)
    while let (header, _) = try walk.next() {
      // A failed volume may hold commits that the catalog lacks.
      if volume.status == .error ? sessions[header.session] != nil : Self.isNeeded(header, sessions) { return true }
    }
    return false
  }

  /// Whether a block holds what tells a session, rather than what it saved.
  private static func isNeeded(_ header: BlockHeader, _ sessions: [UniqueIdentifier: UInt64]) -> Bool {
    guard let lastGroup = sessions[header.session] else { return false }
    switch header.kind {
    case .sessionStart, .sessionEnd: return true
    // The last commit is in the block of the last group, or in one of its own.
    case .groups: return header.lastGroup == 0 || header.lastGroup == lastGroup
    case .label, .retention, .replacement: return false
    }
  }

  // MARK: Writing

  /// Puts records into as few blocks as they need.
  private func blocks(_ records: [[UInt8]]) throws(DeviceError) -> [[UInt8]] {
    let limit = parameters.maximumBlockSize - BlockHeader.byteCount
    var blocks: [[UInt8]] = []
    for record in records {
      guard record.count <= limit else { throw DeviceError(.groupRefused(.tooLong)) }
      if let last = blocks.last, last.count + record.count <= limit {
        blocks[blocks.count - 1] += record
      } else {
        blocks.append(record)
      }
    }
    return blocks
  }

  /// Writes a block onto the current volume, or the next one when that is full. Called under the append lock.
  private func append(
    _ payload: [UInt8], _ current: inout AppendVolume?, _ ends: inout [UniqueIdentifier: UInt64]
  ) throws(DeviceError) {
    let length = BlockHeader.byteCount + payload.count
    let block = UnsafeMutableRawBufferPointer.allocate(
      byteCount: BlockHeader.padded(length), alignment: BlockHeader.alignment)
    defer { block.deallocate() }
    payload.withUnsafeBytes { bytes in
      UnsafeMutableRawBufferPointer(rebasing: block[BlockHeader.byteCount...]).copyMemory(from: bytes)
    }
    while true {
      let volume = try mount(&current)
      let end = volume.writtenEnd + UInt64(block.count)
      if end > parameters.maximumVolumeSize - DeviceParameters.reservedByteCount, !volume.isBlank {
        closeInOrder(volume)
        current = nil
        continue
      }
      let header = BlockHeader(
        kind: .retention, length: UInt32(length), volume: volume.identifier, number: volume.nextNumber)
      header.seal(block)
      do throws(StoreError) {
        ends[volume.identifier] = try volume.append(UnsafeRawBufferPointer(block)).end
        return
      } catch {
        try writeFailed(error, volume)
        current = nil
      }
    }
  }
}
