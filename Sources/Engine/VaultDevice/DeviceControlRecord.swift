import SystemPackage
import VaultCrypto
import VaultModel
import VaultProtocol
import VaultSystem

/// What a commit made durable.
package struct CommitResult: Hashable, Sendable {
  /// The commit's number; when nothing was to be committed the last one's, 0 before the first.
  package var number: UInt64
  package var attempt: UInt32
  /// The groups that the commit adds, by number.
  package var groups: [GroupLocation]
  /// Where in its block each of them is, in the same order.
  package var places: [GroupPlace]
  /// The volumes it touches and those that changed their status, with their ends; the greater end counts.
  package var volumes: [Volume]
  /// What the next commit builds on.
  package var state: ResumeState
}

/// Where in its block a group begins, and what tells it from another one.
package struct GroupPlace: Hashable, Sendable {
  /// Bytes from the beginning of the block.
  package var offset: Int
  /// The digest of its stored bytes.
  package var digest: Checksum128

  package init(offset: Int, digest: Checksum128) {
    self.offset = offset
    self.digest = digest
  }
}

/// Binds one job to one device: the job's block buffers, positions and commits there.
///
/// One data thread uses it; `abort()` may come from any thread. Two or more buffers are filled and written in turn by a
/// thread of its own. After an error the session is aborted: every call throws that error.
package final class DeviceControlRecord {
  private struct PendingGroup {
    var header: GroupHeader
    /// The block that holds it, counted since the last commit.
    var block: Int
    /// Where in it the group begins, in bytes.
    var offset: Int
  }

  package let session: UniqueIdentifier
  package let attempt: UInt32
  private let device: Device
  private let pool: BufferPool
  private let writer: BlockWriter
  private var state: ResumeState
  /// The number that the session's next group has.
  package private(set) var nextGroup: UInt64
  private var pending: [PendingGroup] = []
  /// Blocks queued since the last commit.
  private var queuedCount = 0
  private var current: PooledBuffer?
  private var reservedCount = 0
  private var currentGroups: (first: UInt64, last: UInt64) = (0, 0)
  private var isEnded = false

  /// The bytes of groups that were appended and no commit covers.
  package private(set) var uncommittedByteCount: UInt64 = 0
  /// The bytes of records in those of them that hold attributes.
  package private(set) var uncommittedAttributeByteCount: UInt64 = 0
  /// Where the attempt's committed blocks lie, volume by volume, from first to last.
  package private(set) var extents: [SessionExtent] = []

  /// Opens an attempt: makes sure that a volume can be appended to, and queues the session-start block.
  ///
  /// - Parameters:
  ///   - jobRecord: a whole job record, header included; it is stored as it is.
  ///   - continuing: the state after the session's last commit, for an attempt that goes on.
  /// - Throws: `.noSpace`, `.io`, `.damagedLabel` and the like when no volume can be had; `.groupRefused(.tooLong)` when
  ///   the record does not fit into a block.
  package init(
    device: Device, session: UniqueIdentifier, attempt: UInt32, jobRecord: [UInt8], continuing: ResumeState? = nil
  ) throws(DeviceError) {
    self.device = device
    self.session = session
    self.attempt = attempt
    let state = continuing ?? .beginning
    self.state = state
    nextGroup = state.nextGroup
    let parameters = device.parameters
    pool = BufferPool(bufferSize: parameters.maximumBlockSize, limit: parameters.blockBufferCount)
    let writer = BlockWriter(device: device, session: session, pool: pool, capacity: parameters.blockBufferCount)
    self.writer = writer
    var records = RecordWriter()
    if let commit = state.lastCommit { records.commit(commit) }
    try device.prepareToAppend()
    try device.register(writer)
    do throws(SystemError) {
      let thread = try WorkerThread(name: "sd-writer") { writer.run() }
      thread.detach()
    } catch {
      device.unregister(writer)
      throw DeviceError(.io(call: error.call, errno: error.errno))
    }
    try writeRecords(.sessionStart, jobRecord, records.bytes)
  }

  deinit {
    if !isEnded { abort() }
  }

  // MARK: Appending

  /// Room for one whole group in the present block; the block is closed and queued before when the group does not fit.
  ///
  /// What was reserved before and not appended is given up.
  /// - Throws: `.groupRefused` when no block can hold it; what aborted the session.
  package func reserve(_ byteCount: Int) throws(DeviceError) -> UnsafeMutableRawBufferPointer {
    try check()
    guard byteCount >= GroupHeader.byteCount else { throw DeviceError(.groupRefused(.wrongLength)) }
    guard byteCount <= min(GroupLimits.storedLimit, device.parameters.maximumBlockSize - BlockHeader.byteCount) else {
      throw DeviceError(.groupRefused(.tooLong))
    }
    reservedCount = 0
    if let current, current.bytes.count - current.count < byteCount { try closeBlock() }
    let buffer = try currentBuffer()
    reservedCount = byteCount
    return UnsafeMutableRawBufferPointer(rebasing: buffer.room[..<byteCount])
  }

  /// Takes the group that was put into the reserved room.
  ///
  /// - Returns: its header.
  /// - Throws: `.groupRefused` when it is damaged or not the session's next one; nothing is then changed.
  package func append(reserved byteCount: Int) throws(DeviceError) -> GroupHeader {
    try check()
    guard let current, byteCount == reservedCount, byteCount > 0 else {
      throw DeviceError(.groupRefused(.wrongLength))
    }
    let header = try verifiedHeader(UnsafeRawBufferPointer(rebasing: current.room[..<byteCount]))
    reservedCount = 0
    let offset = current.count
    current.count += byteCount
    if currentGroups.first == 0 { currentGroups.first = header.number }
    currentGroups.last = header.number
    pending.append(PendingGroup(header: header, block: queuedCount, offset: offset))
    nextGroup += 1
    uncommittedByteCount += UInt64(byteCount)
    if header.kind == .attributes { uncommittedAttributeByteCount += UInt64(header.rawLength) }
    return header
  }

  private func verifiedHeader(_ bytes: UnsafeRawBufferPointer) throws(DeviceError) -> GroupHeader {
    let group: GroupView
    do throws(FormatError) {
      group = try GroupView(decoding: bytes)
      try group.verify()
    } catch {
      throw DeviceError(.groupRefused(.malformed(error)))
    }
    let header = group.header
    guard header.totalByteCount == bytes.count else { throw DeviceError(.groupRefused(.wrongLength)) }
    guard header.kind != .commit else { throw DeviceError(.groupRefused(.wrongKind)) }
    guard header.session == session else { throw DeviceError(.groupRefused(.wrongSession)) }
    guard header.attempt == attempt else {
      throw DeviceError(.groupRefused(.wrongAttempt(expected: attempt, found: header.attempt)))
    }
    guard header.number == nextGroup else {
      throw DeviceError(.groupRefused(.wrongNumber(expected: nextGroup, found: header.number)))
    }
    return header
  }

  /// Waits until every block that is queued is written, and no sync goes on; the present block stays open.
  package func waitUntilWritten() throws(DeviceError) {
    try check()
    _ = try writer.placements(ofFirst: queuedCount)
    writer.waitUntilSynced()
    try check()
  }

  // MARK: Committing and ending

  /// Makes everything that was appended durable.
  ///
  /// - Durability: what it returns is on stable storage, and no recovery cuts it.
  package func commit() throws(DeviceError) -> CommitResult {
    try check()
    reservedCount = 0
    guard !pending.isEmpty else {
      return CommitResult(
        number: state.nextCommit - 1, attempt: attempt, groups: [], places: [], volumes: [], state: state)
    }
    let record = state.commit(adding: pending.map(\.header.digest), attempt: attempt)
    try appendCommitGroup(record)
    let placements = try writer.placements(ofFirst: queuedCount)
    let volumes = try synchronizeTouched()
    let groups = pending.map { group in
      let placement = placements[group.block]
      return GroupLocation(
        group: group.header.number, kind: group.header.kind, firstEntry: group.header.firstEntry,
        firstOffset: group.header.firstOffset, volume: placement.volume, block: placement.address,
        storedLength: UInt32(group.header.totalByteCount), rawLength: group.header.rawLength)
    }
    let places = pending.map { GroupPlace(offset: $0.offset, digest: $0.header.digest) }
    state = ResumeState(after: record)
    for placement in placements[(pending.first?.block ?? 0)...] { extend(by: placement) }
    pending.removeAll(keepingCapacity: true)
    queuedCount = 0
    uncommittedByteCount = 0
    uncommittedAttributeByteCount = 0
    return CommitResult(
      number: record.number, attempt: attempt, groups: groups, places: places, volumes: volumes, state: state)
  }

  private func extend(by placement: BlockPlacement) {
    if let index = extents.indices.last, extents[index].volume == placement.volume {
      extents[index].end = placement.address
    } else {
      extents.append(SessionExtent(volume: placement.volume, start: placement.address, end: placement.address))
    }
  }

  /// Writes the session-end block and makes it durable; the record is not used after.
  ///
  /// - Parameter jobEndRecord: a whole job end record, header included.
  /// - Returns: the volumes touched, with their ends.
  /// - Throws: `.uncommittedGroups` when a commit is missing.
  package func endSession(jobEndRecord: [UInt8]) throws(DeviceError) -> [Volume] {
    try check()
    guard pending.isEmpty else { throw DeviceError(.uncommittedGroups) }
    try writeRecords(.sessionEnd, jobEndRecord, UnsafeRawBufferPointer(start: nil, count: 0))
    _ = try writer.placements(ofFirst: queuedCount)
    let volumes = try synchronizeTouched()
    isEnded = true
    writer.finish()
    return volumes
  }

  /// Drops what no commit covers and ends the attempt, without waiting for the disk.
  ///
  /// Blocks that were written already stay on the volume, dead. Any thread may call it, and more than once.
  package func abort() {
    writer.fail(DeviceError(.sessionAborted(nil)))
  }

  private func check() throws(DeviceError) {
    if isEnded { throw DeviceError(.closed) }
    if let failure = writer.failure { throw failure }
  }

  private func synchronizeTouched() throws(DeviceError) -> [Volume] {
    let touched = writer.touched
    do throws(DeviceError) {
      try device.synchronize(touched)
      try writer.acknowledge()
    } catch {
      writer.fail(error)
      throw writer.failure ?? error
    }
    return device.acknowledge(touched)
  }

  // MARK: Blocks

  private func currentBuffer() throws(DeviceError) -> PooledBuffer {
    if let current { return current }
    guard let buffer = pool.take() else { throw writer.failure ?? DeviceError(.io(call: "malloc", errno: .noMemory)) }
    buffer.count = BlockHeader.byteCount
    current = buffer
    currentGroups = (0, 0)
    return buffer
  }

  private func closeBlock(mayUseReserve: Bool = false) throws(DeviceError) {
    guard let buffer = current, buffer.count > BlockHeader.byteCount else { return }
    current = nil
    let header = BlockHeader(
      kind: .groups, length: UInt32(buffer.count), attempt: attempt, session: session,
      firstGroup: currentGroups.first, lastGroup: currentGroups.last)
    try queue(buffer, header, mayUseReserve: mayUseReserve)
  }

  private func queue(_ buffer: PooledBuffer, _ header: BlockHeader, mayUseReserve: Bool) throws(DeviceError) {
    try writer.write(QueuedBlock(buffer: buffer, header: header, mayUseReserve: mayUseReserve))
    queuedCount += 1
  }

  /// Puts the commit group last into the present block and closes it.
  private func appendCommitGroup(_ record: CommitRecord) throws(DeviceError) {
    var records = RecordWriter()
    records.commit(record)
    let byteCount = GroupHeader.byteCount + records.count
    let room = try reserve(byteCount)
    let position = GroupEncoder.Position(
      kind: .commit, flags: 0, session: session, attempt: attempt, firstEntry: 0, firstOffset: 0)
    do throws(FormatError) {
      _ = try GroupEncoder.plain.encode(records.bytes, recordCount: 1, position, into: room)
    } catch {
      throw DeviceError(.groupRefused(.malformed(error)))
    }
    reservedCount = 0
    current?.count += byteCount
    try closeBlock(mayUseReserve: true)
  }

  /// Queues a block of records.
  private func writeRecords(
    _ kind: BlockKind, _ first: [UInt8], _ second: UnsafeRawBufferPointer
  ) throws(DeviceError) {
    try closeBlock()
    let buffer = try currentBuffer()
    current = nil
    guard first.count + second.count <= buffer.room.count else { throw DeviceError(.groupRefused(.tooLong)) }
    first.withUnsafeBytes { buffer.room.copyMemory(from: $0) }
    buffer.count += first.count
    buffer.room.copyMemory(from: second)
    buffer.count += second.count
    let header = BlockHeader(kind: kind, length: UInt32(buffer.count), attempt: attempt, session: session)
    try queue(buffer, header, mayUseReserve: kind == .sessionEnd)
  }
}
