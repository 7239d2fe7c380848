import SystemPackage
import VaultModel
import VaultProtocol

extension Device {
  /// Makes sure that a volume can be appended to, making one when there is none.
  func prepareToAppend() throws(DeviceError) {
    try current.withLock { (current) throws(DeviceError) in
      _ = try mount(&current)
    }
  }

  /// Writes a block of a session to the current volume, and onto the next one when that is full.
  func append(_ block: QueuedBlock, from writer: BlockWriter) throws(DeviceError) -> BlockPlacement {
    try current.withLock { (current) throws(DeviceError) in
      while true {
        // An aborted session's last block may have waited for the lock.
        if let failure = writer.failure { throw failure }
        let volume = try mount(&current)
        if let placement = try write(block, to: volume, from: writer) {
          if block.header.kind == .sessionStart { remember(writer.session, placement) }
          return placement
        }
        current = nil
      }
    }
  }

  /// Lets a thread sync a volume when much of it waits for that, and waits until it is less than too much.
  func boundUnsynced(_ identifier: UniqueIdentifier, by thread: SyncThread) throws(DeviceError) {
    guard let volume = state.withLock({ $0.appended[identifier] }) else { return }
    let byteCount = volume.unsyncedByteCount
    if byteCount >= parameters.unsyncedLimit {
      try synchronize([identifier: volume.writtenEnd - parameters.unsyncedLimit + 1])
    } else if byteCount >= parameters.syncStep {
      thread.begin(identifier)
    }
  }

  /// Syncs a volume unless another thread has just done so. A failure condemns the volume, and so reaches whom it concerns.
  func synchronizeAhead(_ identifier: UniqueIdentifier) {
    guard let volume = state.withLock({ $0.appended[identifier] }),
      volume.unsyncedByteCount >= parameters.syncStep
    else { return }
    do throws(DeviceError) { try synchronize([identifier: volume.writtenEnd - parameters.syncStep + 1]) } catch {}
  }

  /// Makes durable what sessions wrote on volumes before the given ends.
  func synchronize(_ ends: [UniqueIdentifier: UInt64]) throws(DeviceError) {
    for (identifier, end) in ends {
      guard let volume = state.withLock({ $0.appended[identifier] }) else { throw DeviceError(.closed) }
      do throws(DeviceError) {
        try volume.synchronize(through: end)
      } catch {
        if error.kind != .closed { condemn(volume, error) }
        throw error
      }
    }
  }

  /// Moves the acknowledged ends, and closes volumes that are complete.
  ///
  /// - Returns: the volumes touched and those that changed their status since the device was opened.
  func acknowledge(_ ends: [UniqueIdentifier: UInt64]) -> [Volume] {
    closeIdleVolumes()
    let volumes = state.withLock { state in
      for (identifier, end) in ends { state.advance(identifier, to: end) }
      return Set(ends.keys).union(state.changed).compactMap { state.volumes[$0] }
    }
    return volumes.sorted { VolumeName.isBefore($0.name, $1.name) }
  }

  /// Closes full and failed volumes that no session waits for.
  func closeIdleVolumes() {
    let idle = state.withLock { state in
      var idle: [AppendVolume] = []
      for (identifier, volume) in state.appended where state.volumes[identifier]?.status != .append {
        let isFailed = volume.failure != nil
        let isWaitedFor = state.writers.values.contains { $0.touched[identifier] != nil }
        if isWaitedFor || (!isFailed && volume.unsyncedByteCount > 0) { continue }
        if !isFailed { state.advance(identifier, to: volume.syncedEnd) }
        idle.append(volume)
        state.appended[identifier] = nil
      }
      return idle
    }
    for volume in idle {
      // Everything acknowledged is synced: a close that fails costs nothing but the trust in the medium.
      do throws(DeviceError) { try volume.close() } catch { condemn(volume, error) }
    }
  }

  private func remember(_ session: UniqueIdentifier, _ placement: BlockPlacement) {
    state.withLock { state in
      if state.sessionStarts[session] == nil {
        state.sessionStarts[session] = GroupAddress(volume: placement.volume, block: placement.address)
      }
    }
  }

  // MARK: One block on one volume

  /// Writes a block to a volume.
  ///
  /// - Returns: nil when the volume is closed now, in order or failed under another session's hands: the next one takes it.
  private func write(
    _ block: QueuedBlock, to volume: AppendVolume, from writer: BlockWriter
  ) throws(DeviceError) -> BlockPlacement? {
    var header = block.header
    let start = volume.writtenEnd
    let end = start + UInt64(header.paddedByteCount)
    let limit = parameters.maximumVolumeSize - (block.mayUseReserve ? 0 : DeviceParameters.reservedByteCount)
    if end > limit, !volume.isBlank {
      closeInOrder(volume)
      return nil
    }
    // From here on a failure of the volume is the session's, whoever meets it.
    let before = writer.willWrite(to: volume.identifier, end: end)
    guard volume.failure == nil else {
      writer.didNotWrite(to: volume.identifier, before: before)
      return nil
    }
    header.volume = volume.identifier
    header.number = volume.nextNumber
    header.seal(block.buffer.bytes)
    do throws(StoreError) {
      return try volume.append(UnsafeRawBufferPointer(rebasing: block.buffer.bytes[..<header.paddedByteCount]))
    } catch {
      try writeFailed(error, volume)
      writer.didNotWrite(to: volume.identifier, before: before)
      return nil
    }
  }

  /// Closes a volume in order when it is full, and condemns it otherwise.
  func writeFailed(_ error: StoreError, _ volume: AppendVolume) throws(DeviceError) {
    let failure = DeviceError(error, volume: volume.name)
    switch failure.kind {
    case .noSpace, .fileTooLarge:
      try cutPartialBlock(volume)
      // A volume that takes not even one block stays as it is: another one would take no more.
      if volume.isBlank { throw failure }
      closeInOrder(volume)
    default:
      condemn(volume, failure)
      throw failure
    }
  }

  /// Cuts what a failed write left, durably: the block goes onto the next volume and must not be found twice.
  private func cutPartialBlock(_ volume: AppendVolume) throws(DeviceError) {
    do throws(StoreError) {
      try volume.cutPartialBlock()
    } catch {
      let failure = DeviceError(.io(call: error.call, errno: error.errno), volume: volume.name)
      condemn(volume, failure)
      throw failure
    }
    do throws(DeviceError) {
      try volume.synchronize(through: .max)
    } catch {
      condemn(volume, error)
      throw error
    }
  }

  func closeInOrder(_ volume: AppendVolume) {
    state.withLock { state in
      if state.volumes[volume.identifier]?.status == .append { state.volumes[volume.identifier]?.status = .full }
      state.changed.insert(volume.identifier)
    }
  }

  // MARK: Volumes

  /// The volume to append to: the current one, the newest that takes more, or a new one.
  func mount(_ current: inout AppendVolume?) throws(DeviceError) -> AppendVolume {
    if state.withLock({ $0.isClosed }) { throw DeviceError(.closed) }
    if let volume = current, volume.failure == nil { return volume }
    current = nil
    if let known = appendable(), let volume = try mountKnown(known) {
      current = volume
      return volume
    }
    let volume = try makeVolume()
    current = volume
    return volume
  }

  /// The newest volume that takes more. One that has just failed is none, though its status may not say so yet.
  private func appendable() -> Volume? {
    let found = state.withLock { state in
      state.volumes.values.filter { $0.status == .append && state.appended[$0.identifier]?.failure == nil }
    }
    return found.max { VolumeName.isBefore($0.name, $1.name) }
  }

  /// Opens a volume whose end recovery has settled.
  ///
  /// - Returns: nil when it is damaged, or was made for smaller blocks: it then takes no more data.
  private func mountKnown(_ known: Volume) throws(DeviceError) -> AppendVolume? {
    let status: VolumeStatus
    do throws(DeviceError) {
      if let volume = try openForAppending(known) {
        state.withLock { $0.appended[known.identifier] = volume }
        return volume
      }
      status = .full
    } catch {
      guard error.exitStatus == .damaged else { throw error }
      status = .error
    }
    state.withLock { state in
      state.volumes[known.identifier]?.status = status
      state.changed.insert(known.identifier)
    }
    return nil
  }

  private func openForAppending(_ known: Volume) throws(DeviceError) -> AppendVolume? {
    let file: any VolumeFile
    let size: UInt64
    do throws(StoreError) {
      file = try store.open(known.name, forAppending: true)
      size = try file.size()
    } catch {
      throw DeviceError(error, volume: known.name)
    }
    let label = try VolumeLabel.read(file, name: known.name)
    try label.check(is: known.identifier, of: parameters.repository, name: known.name)
    guard Int(label.record.maximumBlockSize) >= parameters.maximumBlockSize else { return nil }
    let end = known.end.byteOffset
    guard size >= end else {
      throw DeviceError(.volumeTruncated(expected: end, found: size), volume: known.name)
    }
    guard size == end else { throw DeviceError(.notAppendable, volume: known.name) }
    // A cut that an interrupted recovery made may not have reached the medium: old blocks must not come back among new ones.
    do throws(StoreError) { try file.synchronize() } catch {
      throw DeviceError(.io(call: error.call, errno: error.errno), volume: known.name)
    }
    let last = try TailBlock.find(file, label: label, name: known.name, end: end)
    return AppendVolume(
      identifier: known.identifier, name: known.name, labeled: known.labeled, file: file, end: end,
      nextNumber: last.header.number + 1)
  }

  /// Makes, labels and syncs the next volume, and takes it in.
  private func makeVolume() throws(DeviceError) -> AppendVolume {
    let volume = try labelVolume(maximumBlockSize: parameters.maximumBlockSize)
    state.withLock { state in
      state.volumes[volume.identifier] = Volume(
        identifier: volume.identifier, name: volume.name, status: .append,
        end: BlockAddress(byteOffset: volume.writtenEnd), labeled: volume.labeled)
      state.appended[volume.identifier] = volume
      state.changed.insert(volume.identifier)
    }
    return volume
  }

  /// Makes, labels and syncs the next volume, which the device does not know yet.
  ///
  /// - Parameter replaced: the volume whose place it is to take.
  func labelVolume(
    maximumBlockSize: Int, replacing replaced: UniqueIdentifier? = nil
  ) throws(DeviceError) -> AppendVolume {
    let name = try nextName()
    let identifier = makeIdentifier()
    let labeled = clock.now()
    let record = LabelRecord(
      repository: parameters.repository, labeled: labeled, maximumBlockSize: UInt32(maximumBlockSize),
      maximumVolumeSize: parameters.maximumVolumeSize, name: name, pool: parameters.pool,
      mediaType: parameters.mediaType, replaced: replaced)
    guard let label = VolumeLabel(identifier: identifier, record: record).encoded() else {
      throw DeviceError(.notAppendable, volume: name)
    }
    let file: any VolumeFile
    do throws(StoreError) { file = try store.create(name) } catch { throw DeviceError(error, volume: name) }
    do throws(StoreError) {
      try Self.write(label, to: file)
      try file.synchronize()
    } catch {
      // Nothing was stored there yet. If this fails too, recovery removes the file.
      do throws(StoreError) {
        try file.close()
        try store.remove(name)
      } catch {}
      throw DeviceError(error, volume: name)
    }
    return AppendVolume(
      identifier: identifier, name: name, labeled: labeled, file: file, end: UInt64(label.count), nextNumber: 1)
  }

  private static func write(_ bytes: [UInt8], to file: any VolumeFile) throws(StoreError) {
    var failure: StoreError?
    bytes.withUnsafeBytes { bytes in
      do throws(StoreError) { try file.writeAll(bytes, at: 0) } catch { failure = error }
    }
    if let failure { throw failure }
  }

  private func nextName() throws(DeviceError) -> String {
    let prefix = parameters.volumePrefix
    let names: [String]
    do throws(StoreError) { names = try store.names() } catch { throw DeviceError(error, volume: "") }
    let known = state.withLock { $0.volumes.values.map(\.name) }
    let highest = (names + known).compactMap { VolumeName.number($0, prefix: prefix) }.max() ?? 0
    guard highest < Int.max else { throw DeviceError(.notAppendable) }
    return VolumeName.make(highest + 1, prefix: prefix)
  }
}

extension Device.State {
  /// Moves a volume's acknowledged end forward; a full volume's end is what was written.
  mutating func advance(_ identifier: UniqueIdentifier, to end: UInt64) {
    guard var volume = volumes[identifier] else { return }
    volume.end = max(volume.end, BlockAddress(byteOffset: end))
    volumes[identifier] = volume
  }
}
