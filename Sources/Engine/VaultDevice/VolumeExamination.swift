import Glibc
import VaultModel
import VaultProtocol

/// Examines a stretch of a volume, block by block: what is there, and whether it is what should be there.
///
/// With data every byte counts: checksums, group digests, padding. Without, the headers of blocks and groups are read.
/// - Bounds: its memory is one block of the label's Maximum Block Size, whatever the volume holds.
struct VolumeExamination: ~Copyable {
  private enum Sight {
    case block(BlockHeader)
    case nothing(VolumeFinding.Reason)
  }

  private struct HeldGroup {
    var header: GroupHeader
    var isIntact: Bool
  }

  private let file: any VolumeFile
  private let volume: UniqueIdentifier
  private let name: String
  private let maximumBlockSize: Int
  private let readsData: Bool
  private let memory: UnsafeMutableRawBufferPointer
  private var findings: [VolumeFinding] = []
  private var examined: VolumeExamined
  private var lastNumber: UInt64?

  init(file: any VolumeFile, volume: Volume, maximumBlockSize: Int, size: UInt64, readsData: Bool) {
    self.file = file
    self.volume = volume.identifier
    name = volume.name
    self.maximumBlockSize = maximumBlockSize
    self.readsData = readsData
    memory = .allocate(byteCount: maximumBlockSize, alignment: BlockHeader.alignment)
    examined = VolumeExamined(next: 0, size: size)
  }

  deinit { memory.deallocate() }

  /// Examines the blocks that begin in a range; `expected` are all groups that should lie there, by address.
  consuming func run(
    _ range: Range<UInt32>, expecting expected: [PlacedGroup]
  ) -> (examined: VolumeExamined, findings: [VolumeFinding]) {
    let unit = UInt64(BlockHeader.alignment)
    var offset = UInt64(range.lowerBound) * unit
    let end = UInt64(range.upperBound) * unit
    var rest = expected[...]
    var damage: (start: UInt64, reason: VolumeFinding.Reason)?
    while offset < end, offset < examined.size {
      switch look(at: offset, isLost: damage != nil) {
      case .nothing(let reason):
        if damage == nil { damage = (offset, reason) }
        offset += unit
      case .block(let header):
        if let damage { report(damage.start..<offset, damage.reason) }
        damage = nil
        let address = UInt32(clamping: offset / unit)
        let next = offset + UInt64(header.paddedByteCount)
        // What was expected inside the damage before is lost with it.
        rest = rest.drop { $0.location.block.block < address }
        let here = rest.prefix { $0.location.block.block == address }
        examine(header, at: offset, expecting: here)
        rest = rest.dropFirst(here.count)
        let inside = rest.prefix { UInt64($0.location.block.block) * unit < next }
        for group in inside { report(group, .missingGroup) }
        rest = rest.dropFirst(inside.count)
        lastNumber = header.number
        examined.blockCount += 1
        offset = next
      }
    }
    if let damage { report(damage.start..<min(offset, end), damage.reason) }
    if offset < end {
      report(offset..<end, .truncated(size: examined.size))
      offset = end
    }
    examined.next = UInt32(clamping: offset / unit)
    return (examined, findings)
  }

  // MARK: Findings

  private mutating func report(
    _ bytes: Range<UInt64>, _ reason: VolumeFinding.Reason, isHarmless: Bool = false
  ) {
    let unit = UInt64(BlockHeader.alignment)
    let first = UInt32(clamping: bytes.lowerBound / unit)
    let last = UInt32(clamping: (bytes.upperBound + unit - 1) / unit)
    findings.append(VolumeFinding(blocks: first..<max(first, last), reason: reason, isHarmless: isHarmless))
  }

  private mutating func report(_ group: PlacedGroup, _ reason: VolumeFinding.Reason) {
    let block = group.location.block.block
    findings.append(
      VolumeFinding(
        blocks: block..<block + 1, reason: reason,
        group: VolumeFinding.GroupName(session: group.session, number: group.location.group)))
  }

  // MARK: Blocks

  /// What lies at an offset; where the way is lost only a checksum tells a block from what looks like one.
  private func look(at offset: UInt64, isLost: Bool) -> Sight {
    do throws(DeviceError) {
      let count = min(BlockHeader.alignment, maximumBlockSize)
      let found = try read(count, at: offset)
      guard found >= BlockHeader.byteCount,
        let header = try? BlockHeader(decoding: UnsafeRawBufferPointer(rebasing: memory[..<found]))
      else { return .nothing(.noBlock) }
      let length = Int(header.length)
      guard length <= maximumBlockSize else { return .nothing(.noBlock) }
      guard offset + UInt64(length) <= examined.size else { return .nothing(.truncated(size: examined.size)) }
      if readsData || isLost {
        let count = length <= found ? length : try read(length, at: offset)
        guard count == length else { return .nothing(.noBlock) }
        guard BlockHeader.isIntact(UnsafeMutableRawBufferPointer(rebasing: memory[..<length])) else {
          return .nothing(.checksumMismatch)
        }
      }
      guard header.volume == volume, header.number <= offset / UInt64(BlockHeader.alignment),
        lastNumber.map({ header.number > $0 }) ?? true
      else { return .nothing(.stale) }
      return .block(header)
    } catch {
      return .nothing(.readFailed(error))
    }
  }

  /// Reads into the front of the memory.
  private func read(_ count: Int, at offset: UInt64) throws(DeviceError) -> Int {
    do throws(StoreError) {
      return try file.readAll(into: UnsafeMutableRawBufferPointer(rebasing: memory[..<count]), at: offset)
    } catch { throw DeviceError(error, volume: name) }
  }

  private mutating func examine(
    _ header: BlockHeader, at offset: UInt64, expecting expected: ArraySlice<PlacedGroup>
  ) {
    let block = offset..<offset + UInt64(header.paddedByteCount)
    if block.upperBound > examined.size { report(block, .truncated(size: examined.size), isHarmless: true) }
    if readsData { examinePadding(header, block) }
    var held: [UInt64: HeldGroup] = [:]
    let isWellFormed: Bool
    switch header.kind {
    case .groups: isWellFormed = readsData ? heldGroups(header, &held) : heldGroupHeaders(header, offset, &held)
    case .sessionStart, .sessionEnd, .retention, .replacement: isWellFormed = !readsData || hasRecord(header)
    case .label: isWellFormed = offset == 0
    }
    if !isWellFormed { report(block, .malformedContent, isHarmless: true) }
    for group in expected {
      let location = group.location
      guard let found = held[location.group], found.header.session == group.session,
        found.header.kind == location.kind, found.header.totalByteCount == Int(location.storedLength),
        found.header.rawLength == location.rawLength
      else {
        report(group, .missingGroup)
        continue
      }
      if !found.isIntact { report(group, .damagedGroup) }
    }
    guard header.kind == .groups, header.lastGroup != 0, expected.isEmpty else { return }
    examined.deadBlockCount += 1
    examined.deadByteCount += UInt64(header.paddedByteCount)
    if held.values.contains(where: { !$0.isIntact }) { report(block, .damagedGroup, isHarmless: true) }
  }

  /// The padding belongs to no checksum: it is known to be zero.
  private mutating func examinePadding(_ header: BlockHeader, _ block: Range<UInt64>) {
    let count = header.paddedByteCount - Int(header.length)
    let start = block.lowerBound + UInt64(header.length)
    guard count > 0 else { return }
    withUnsafeTemporaryAllocation(byteCount: count, alignment: 16) { padding in
      do throws(StoreError) {
        let found = try file.readAll(into: padding, at: start)
        if !Self.isZero(UnsafeRawBufferPointer(rebasing: padding[..<found])) {
          report(block, .paddingNotZero, isHarmless: true)
        }
      } catch {
        report(block, .readFailed(DeviceError(error, volume: name)), isHarmless: true)
      }
    }
  }

  private static func isZero(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard let base = bytes.baseAddress, bytes.count > 0 else { return true }
    // Each byte equals the one before it, and the first is zero.
    return bytes[0] == 0 && memcmp(base, base + 1, bytes.count - 1) == 0
  }

  private func payload(_ header: BlockHeader) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: memory[BlockHeader.byteCount..<Int(header.length)])
  }

  /// The groups of a block in memory.
  ///
  /// - Returns: whether all of the payload is groups of the block's session and attempt.
  private func heldGroups(_ header: BlockHeader, _ held: inout [UInt64: HeldGroup]) -> Bool {
    do throws(FormatError) {
      var groups = GroupSequence(payload(header))
      while let group = try groups.next() {
        guard group.header.session == header.session, group.header.attempt == header.attempt else { return false }
        guard group.header.kind != .commit else {
          try group.verify()
          var records = RecordReader(group.stored)
          guard case .commit? = try records.next() else { return false }
          continue
        }
        var isIntact = true
        do throws(FormatError) { try group.verify() } catch { isIntact = false }
        held[group.header.number] = HeldGroup(header: group.header, isIntact: isIntact)
      }
      return true
    } catch {
      return false
    }
  }

  /// The groups of a block on the volume, by their headers alone.
  private func heldGroupHeaders(
    _ header: BlockHeader, _ offset: UInt64, _ held: inout [UInt64: HeldGroup]
  ) -> Bool {
    var position = BlockHeader.byteCount
    while position < Int(header.length) {
      guard let found = try? read(GroupHeader.byteCount, at: offset + UInt64(position)),
        let group = try? GroupHeader(decoding: UnsafeRawBufferPointer(rebasing: memory[..<found])),
        group.session == header.session, group.totalByteCount <= Int(header.length) - position
      else { return false }
      if group.kind != .commit { held[group.number] = HeldGroup(header: group, isIntact: true) }
      position += group.totalByteCount
    }
    return true
  }

  private func hasRecord(_ header: BlockHeader) -> Bool {
    var records = RecordReader(payload(header))
    switch (header.kind, try? records.next()) {
    case (.sessionStart, .job(let job)?): return job.session == header.session
    case (.sessionEnd, .jobEnd?), (.retention, .retention?), (.replacement, .replacement?): return true
    default: return false
    }
  }
}

extension Device {
  /// Examines the blocks of a volume that begin in a range, which begins at a block.
  ///
  /// - Parameters:
  ///   - expected: all groups that should lie in the range, in order of their blocks.
  ///   - readsData: whether every byte is read and checked, or headers only.
  /// - Throws: `.unknownVolume`; whatever is wrong with the volume is a finding.
  package func examine(
    volume identifier: UniqueIdentifier, _ range: Range<UInt32>, expecting expected: [PlacedGroup], readsData: Bool
  ) throws(DeviceError) -> (examined: VolumeExamined, findings: [VolumeFinding]) {
    guard let volume = state.withLock({ $0.volumes[identifier] }) else { throw DeviceError(.unknownVolume(identifier)) }
    do throws(DeviceError) {
      let file: any VolumeFile
      let size: UInt64
      do throws(StoreError) {
        file = try store.open(volume.name, forAppending: false)
        size = try file.size()
      } catch { throw DeviceError(error, volume: volume.name) }
      var findings: [VolumeFinding] = []
      var maximumBlockSize = BlockHeader.maximumBlockSizes.upperBound
      do throws(DeviceError) {
        let label = try VolumeLabel.read(file, name: volume.name)
        try label.check(is: identifier, of: parameters.repository, name: volume.name)
        maximumBlockSize = Int(label.record.maximumBlockSize)
      } catch {
        // Blocks name their volume, too: without its label the volume can still be read.
        guard case .damagedLabel = error.kind else { throw error }
        if range.lowerBound == 0 {
          findings.append(VolumeFinding(blocks: 0..<1, reason: .damagedLabel, isHarmless: true))
        }
      }
      var range = range
      // The label's block is examined like any other, but for a label that cannot be read.
      if range.lowerBound == 0, !findings.isEmpty { range = min(1, range.upperBound)..<range.upperBound }
      let examination = VolumeExamination(
        file: file, volume: volume, maximumBlockSize: maximumBlockSize, size: size, readsData: readsData)
      let outcome = examination.run(range, expecting: expected)
      return (outcome.examined, findings + outcome.findings)
    } catch {
      let finding = VolumeFinding(blocks: range, reason: .unreadable(error))
      return (VolumeExamined(next: range.upperBound, isReadable: false), [finding])
    }
  }

  /// The names of everything in the store that is named like a volume.
  package func volumeNames() throws(DeviceError) -> [String] {
    do throws(StoreError) {
      return try store.names().filter { VolumeName.number($0, prefix: parameters.volumePrefix) != nil }.sorted(
        by: VolumeName.isBefore)
    } catch { throw DeviceError(error, volume: "") }
  }
}
