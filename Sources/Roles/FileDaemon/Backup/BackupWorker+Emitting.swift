import VaultModel
import VaultProtocol
import VaultSystem

/// The job is stopping for an error that another thread met: this thread's work is dropped.
struct BackupStopped: Error {}

// Turning records into groups, in order.
extension BackupWorker {
  /// Makes sure there is memory for a data group.
  mutating func takeRawBuffer() throws {
    guard raw == nil else { return }
    guard let buffer = context.rawBuffers.take() else { throw BackupStopped() }
    raw = buffer
    beginData()
  }

  /// Emits entries and content collected so far, and begins new groups.
  mutating func flush(_ unit: BackupUnit) throws {
    try emitEntries(unit, mayCommit: false)
    try emitData(unit)
  }

  /// Emits what is left of a unit: entries, content, seals; a commit may follow its last group.
  mutating func endUnit(_ unit: BackupUnit) throws {
    try sealUnsealed()
    let hasData = !data.isEmpty
    let hasSeals = !seals.isEmpty
    try emitEntries(unit, mayCommit: !hasData && !hasSeals)
    if hasData { try emitData(unit) }
    try emitSeals(unit, mayCommit: true)
  }

  /// Seals what was read since the group began, while it still lies there.
  mutating func sealUnsealed() throws {
    guard !unsealed.isEmpty else { return }
    try batch.finish(into: &digests)
    for (content, digest) in zip(unsealed, digests) {
      seals.seal(
        index: content.index,
        SealedContent(size: content.size, algorithm: .sha256, digest: digest, flags: content.flags))
    }
    unsealed.removeAll(keepingCapacity: true)
  }

  mutating func emitSeals(_ unit: BackupUnit, mayCommit: Bool) throws {
    try sealUnsealed()
    guard !seals.isEmpty else { return }
    let slot = try attributeGroup(seals, unit, mayCommit: mayCommit)
    seals.removeAll()
    try push(slot, unit)
  }

  mutating func emitEntries(_ unit: BackupUnit, mayCommit: Bool) throws {
    if !entries.isEmpty {
      let slot = try attributeGroup(entries, unit, mayCommit: mayCommit)
      entries.removeAll()
      try push(slot, unit)
    }
    // Every group names its directories, so that one can be read when those before it are lost.
    namedDirectoryCount = mayCommit ? 0 : presentDirectory
  }

  /// A filled slot with the records as an attribute group.
  private func attributeGroup(
    _ records: borrowing RecordWriter, _ unit: BackupUnit, mayCommit: Bool
  ) throws -> GroupSlot {
    var bytes = [UInt8](repeating: 0, count: GroupHeader.byteCount + records.count)
    let position = GroupEncoder.Position(
      kind: .attributes, flags: mayCommit ? GroupHeader.mayCommitFlag : 0, session: context.session,
      attempt: context.attempt, firstEntry: unit.items.first?.index ?? 0, firstOffset: 0)
    let (raw, recordCount) = (records.bytes, records.recordCount)
    let header = try bytes.withUnsafeMutableBytes { output in
      try encoder.encode(raw, recordCount: recordCount, position, into: output)
    }
    bytes.removeLast(bytes.count - header.totalByteCount)
    let slot = GroupSlot()
    slot.fill(GroupSlot.Group(header: header, bytes: .owned(bytes)))
    return slot
  }

  /// Compresses the data group here and emits it.
  mutating func emitData(_ unit: BackupUnit) throws {
    try sealUnsealed()
    guard !data.isEmpty, let raw else { return }
    let slot = GroupSlot()
    try compress(compressionJob(raw, slot, mayCommit: false))
    beginData()
    try push(slot, unit)
  }

  /// Forgets the data group, which has nothing but a part of a large file: its content is not to be sealed.
  mutating func dropData() {
    if raw != nil { beginData() }
  }

  /// Begins a data group behind the room for its header; without memory it takes nothing.
  private mutating func beginData() {
    data = DataGroupBuilder(
      raw.map { UnsafeMutableRawBufferPointer(rebasing: $0.bytes[GroupHeader.byteCount...]) }
        ?? UnsafeMutableRawBufferPointer(start: nil, count: 0))
  }

  /// Emits the data group of a large file; another worker compresses it if one is free.
  mutating func emitDataLater(_ unit: BackupUnit) throws {
    try sealUnsealed()
    guard !data.isEmpty, let raw else { return }
    let slot = GroupSlot()
    let job = compressionJob(raw, slot, mayCommit: true)
    self.raw = nil
    beginData()
    if !context.work.offer(job) { try compress(job) }
    try push(slot, unit)
  }

  private func compressionJob(_ raw: PooledBuffer, _ slot: GroupSlot, mayCommit: Bool) -> CompressionJob {
    raw.count = GroupHeader.byteCount + data.count
    return CompressionJob(
      raw: raw, recordCount: data.recordCount,
      position: GroupEncoder.Position(
        kind: .data, flags: mayCommit ? GroupHeader.mayCommitFlag : 0, session: context.session,
        attempt: context.attempt, firstEntry: data.firstEntry, firstOffset: data.firstOffset), slot: slot)
  }

  mutating func compress(_ job: CompressionJob) throws {
    guard let buffer = context.groupBuffers.take() else {
      job.slot.fail()
      throw BackupStopped()
    }
    do {
      let (header, isInPlace) = try encoder.encode(
        framed: UnsafeMutableRawBufferPointer(rebasing: job.raw.bytes[..<job.raw.count]), recordCount: job.recordCount,
        job.position, &trend, into: buffer.bytes)
      if isInPlace { buffer.swapMemory(with: job.raw) }
      buffer.count = header.totalByteCount
      job.slot.fill(GroupSlot.Group(header: header, bytes: .pooled(buffer)))
    } catch {
      job.slot.fail()
      throw error
    }
  }

  /// Puts a slot in order. While there is no room, compression is done here, of whatever unit: the sequencer may wait for it, and
  /// a unit behind a large file waits until all of that file is sent.
  private mutating func push(_ slot: GroupSlot, _ unit: BackupUnit) throws {
    while let job = context.work.nextCompression(unless: { unit.outputs.isPushImmediate }) { try compress(job) }
    guard context.failure == nil, unit.outputs.push(slot) else { throw BackupStopped() }
  }
}
