import VaultModel
import VaultProtocol

/// Groups of one session and the blocks of the new volume that hold them.
package struct MovedGroups: Hashable, Sendable {
  package var session: UniqueIdentifier
  package var groups: [BlockGroup]

  package init(session: UniqueIdentifier, groups: [BlockGroup]) {
    self.session = session
    self.groups = groups
  }
}

/// A volume that is being rewritten: what is needed of it is copied onto a new one, stretch by stretch.
///
/// Group bytes stay as they are, and so do sessions, attempts and the numbers of groups; only blocks are put together anew.
/// The old volume is read and not changed. The new one counts once its replacement block is on stable storage, which is
/// written when all before it is; what is left of it before that is removed by `abandon`, or by the next recovery.
/// - Bounds: its memory is three blocks of the label's Maximum Block Size, whatever the volume holds.
package final class VolumeRewrite: @unchecked Sendable {
  // One thread at a time uses it: that of the request which the conversation answers.

  /// The volume whose place is taken.
  package let old: Volume
  private let device: Device
  private let sessions: Set<UniqueIdentifier>
  /// Trees of which the new volume tells which jobs were dropped, and what the old one says of others.
  private let recordedTrees: Set<Tree>
  private var copiedRecords: Set<RetentionRecord> = []
  private var scanner: VolumeScanner
  /// Where the next block of the old volume begins.
  private var nextOffset = UInt64(VolumeLabel.paddedByteCount)
  private let volume: AppendVolume
  private let block: UnsafeMutableRawBufferPointer
  /// The block that is being filled, its header in front without volume, number and length.
  private var header: BlockHeader?
  private var byteCount = BlockHeader.byteCount
  private var pending: [UInt64] = []
  private var moved: [MovedGroups] = []
  private var isOver = false

  init(
    _ old: Volume, on device: Device, recording records: [[UInt8]], needed sessions: Set<UniqueIdentifier>
  ) throws(DeviceError) {
    self.old = old
    self.device = device
    self.sessions = sessions
    recordedTrees = try Self.trees(of: records)
    let file: any VolumeFile
    do throws(StoreError) { file = try device.store.open(old.name, forAppending: false) } catch {
      throw DeviceError(error, volume: old.name)
    }
    let label = try VolumeLabel.read(file, name: old.name)
    try label.check(is: old.identifier, of: device.parameters.repository, name: old.name)
    scanner = VolumeScanner(file: file, label: label, name: old.name, from: nextOffset, to: old.end.byteOffset)
    let blockSize = max(Int(label.record.maximumBlockSize), device.parameters.maximumBlockSize)
    do throws(DeviceError) {
      volume = try device.labelVolume(maximumBlockSize: blockSize, replacing: old.identifier)
    } catch { throw Self.explained(error, old) }
    block = .allocate(byteCount: blockSize, alignment: BlockHeader.alignment)
    do throws(DeviceError) {
      for record in records { try write(.retention, payload: record) }
    } catch {
      abandon()
      throw error
    }
  }

  deinit {
    if !isOver { abandon() }
    block.deallocate()
  }

  private static func trees(of records: [[UInt8]]) throws(DeviceError) -> Set<Tree> {
    var trees: Set<Tree> = []
    for bytes in records {
      let record = bytes.withUnsafeBytes { bytes -> RetentionRecord? in
        var reader = RecordReader(bytes)
        guard case .retention(let record)? = try? reader.next() else { return nil }
        return record
      }
      guard let record else { throw DeviceError(.groupRefused(.wrongKind)) }
      trees.insert(record.retention.tree)
    }
    return trees
  }

  // MARK: Copying

  /// Copies what is needed of the blocks that begin before an address, and after those of the calls before.
  ///
  /// - Parameter needed: the groups there that are needed, in the order of their blocks.
  /// - Returns: where these groups lie now.
  /// - Throws: `.damagedBlock` when the volume does not hold what it should, `.noRoomToRewrite`, `.io`; only `abandon` is
  ///   left to be called then.
  package func copy(before address: UInt32, needed: [BlockGroup]) throws(DeviceError) -> [MovedGroups] {
    let end = min(BlockAddress(block: address).byteOffset, old.end.byteOffset)
    var rest = needed[...]
    while nextOffset < end {
      let here = BlockAddress(byteOffset: nextOffset)
      guard case .block(let header, here)? = try scanner.next() else { throw damaged(.noHeader) }
      let wanted = rest.prefix { $0.block == here.block }
      rest = rest.dropFirst(wanted.count)
      try take(header, wanted: Set(wanted.map(\.group)))
      nextOffset += UInt64(header.paddedByteCount)
    }
    guard rest.isEmpty else { throw damaged(.addressOutOfBounds) }
    try closeBlock()
    defer { moved = [] }
    return moved
  }

  private func damaged(_ damage: DeviceError.BlockDamage) -> DeviceError {
    DeviceError(.damagedBlock(damage, BlockAddress(byteOffset: nextOffset)), volume: old.name)
  }

  /// Takes what is needed of one block.
  private func take(_ header: BlockHeader, wanted: Set<UInt64>) throws(DeviceError) {
    guard header.kind == .groups || wanted.isEmpty else { throw damaged(.malformedContent) }
    switch header.kind {
    case .groups: try takeGroups(header, wanted)
    case .sessionStart, .sessionEnd:
      guard sessions.contains(header.session) else { return }
      try closeBlock()
      self.header = BlockHeader(kind: header.kind, attempt: header.attempt, session: header.session)
      try add(scanner.payload)
      try closeBlock()
    case .retention: try takeRetention()
    case .label, .replacement: return
    }
  }

  private func takeGroups(_ header: BlockHeader, _ wanted: Set<UInt64>) throws(DeviceError) {
    let isNeeded = sessions.contains(header.session)
    var missing = wanted
    do {
      var groups = GroupSequence(scanner.payload)
      while let group = try groups.next() {
        guard group.header.session == header.session, group.header.attempt == header.attempt else { break }
        let isCommit = group.header.kind == .commit
        guard isCommit ? isNeeded : missing.remove(group.header.number) != nil else { continue }
        try group.verify()
        try open(header, forAdding: group.bytes.count)
        try add(group.bytes)
        if isCommit {
          // A commit group is the last of its block.
          try closeBlock()
        } else {
          add(number: group.header.number)
        }
      }
    } catch let error as DeviceError {
      throw error
    } catch {
      throw damaged(.malformedContent)
    }
    guard missing.isEmpty else { throw damaged(.malformedContent) }
  }

  /// Takes what the new volume does not tell already.
  private func takeRetention() throws(DeviceError) {
    var found: [RetentionRecord] = []
    do throws(FormatError) {
      var records = RecordReader(scanner.payload)
      while let record = try records.next() {
        guard case .retention(let retention) = record else { continue }
        found.append(retention)
      }
    } catch { throw damaged(.malformedContent) }
    for record in found where !recordedTrees.contains(record.retention.tree) && copiedRecords.insert(record).inserted {
      var writer = RecordWriter(capacity: 1024)
      writer.retention(record)
      try write(.retention, payload: Array(writer.bytes))
    }
  }

  // MARK: Blocks

  /// Makes sure that the block being filled is of a session's attempt and takes so many bytes more.
  private func open(_ source: BlockHeader, forAdding count: Int) throws(DeviceError) {
    if let header,
      header.session != source.session || header.attempt != source.attempt || header.kind != .groups
        || byteCount + count > block.count
    {
      try closeBlock()
    }
    if header == nil { header = BlockHeader(kind: .groups, attempt: source.attempt, session: source.session) }
  }

  private func add(_ bytes: UnsafeRawBufferPointer) throws(DeviceError) {
    guard byteCount + bytes.count <= block.count else { throw DeviceError(.groupRefused(.tooLong)) }
    UnsafeMutableRawBufferPointer(rebasing: block[byteCount...]).copyMemory(from: bytes)
    byteCount += bytes.count
  }

  private func add(number: UInt64) {
    if header?.firstGroup == 0 { header?.firstGroup = number }
    header?.lastGroup = number
    pending.append(number)
  }

  /// Writes a block of one record.
  private func write(_ kind: BlockKind, payload: [UInt8]) throws(DeviceError) {
    try closeBlock()
    header = BlockHeader(kind: kind)
    guard byteCount + payload.count <= block.count else { throw DeviceError(.groupRefused(.tooLong)) }
    payload.withUnsafeBytes { UnsafeMutableRawBufferPointer(rebasing: block[byteCount...]).copyMemory(from: $0) }
    byteCount += payload.count
    try closeBlock()
  }

  /// Writes the block that is being filled, if there is one.
  private func closeBlock() throws(DeviceError) {
    guard var header else { return }
    self.header = nil
    header.length = UInt32(byteCount)
    header.volume = volume.identifier
    header.number = volume.nextNumber
    header.seal(block)
    byteCount = BlockHeader.byteCount
    let placement: BlockPlacement
    do throws(StoreError) {
      placement = try volume.append(UnsafeRawBufferPointer(rebasing: block[..<header.paddedByteCount]))
    } catch {
      throw Self.explained(DeviceError(error, volume: volume.name), old)
    }
    if volume.unsyncedByteCount >= device.parameters.unsyncedLimit { try synchronize() }
    guard !pending.isEmpty else { return }
    if moved.last?.session != header.session { moved.append(MovedGroups(session: header.session, groups: [])) }
    moved[moved.count - 1].groups += pending.map { BlockGroup(block: placement.address.block, group: $0) }
    pending.removeAll(keepingCapacity: true)
  }

  private func synchronize() throws(DeviceError) {
    do throws(DeviceError) { try volume.synchronize(through: volume.writtenEnd) } catch {
      throw Self.explained(error, old)
    }
  }

  /// A full disk is no failure of the new volume's, which nobody knows.
  private static func explained(_ error: DeviceError, _ old: Volume) -> DeviceError {
    switch error.kind {
    case .noSpace, .io(_, .noSpace), .io(_, .diskQuotaExceeded): DeviceError(.noRoomToRewrite, volume: old.name)
    default: error
    }
  }

  // MARK: The end

  /// Completes the new volume.
  ///
  /// - Returns: the volume, which the device knows from now on; nil when it would be no smaller than the old one, and is
  ///   gone again.
  /// - Durability: everything is on stable storage, and says so.
  /// - Throws: what `copy` throws.
  package func finish() throws(DeviceError) -> Volume? {
    guard nextOffset == old.end.byteOffset else { throw damaged(.addressOutOfBounds) }
    guard volume.writtenEnd + UInt64(BlockHeader.alignment) < nextOffset else {
      abandon()
      return nil
    }
    try synchronize()
    var writer = RecordWriter(capacity: 64)
    writer.replacement(of: old.identifier)
    try write(.replacement, payload: Array(writer.bytes))
    try synchronize()
    try volume.close()
    let new = Volume(
      identifier: volume.identifier, name: volume.name, status: old.status,
      end: BlockAddress(byteOffset: volume.writtenEnd), labeled: volume.labeled)
    device.adopt(new)
    isOver = true
    return new
  }

  /// Gives up: the new volume goes, and the old one is used as before.
  ///
  /// When its file cannot be removed, the next recovery does that.
  package func abandon() {
    guard !isOver else { return }
    isOver = true
    do throws(DeviceError) { try volume.close() } catch {}
    do throws(StoreError) { try device.store.remove(volume.name) } catch {}
    device.keepRewritten(old)
  }
}
