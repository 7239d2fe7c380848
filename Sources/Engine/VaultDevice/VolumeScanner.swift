import VaultModel
import VaultProtocol

/// What a scanner met.
package enum ScanEvent: Hashable, Sendable {
  /// A whole block of the volume; its payload is lent until the scanner goes on.
  case block(BlockHeader, BlockAddress)
  /// Bytes that are no block of the volume: torn, overwritten or never written.
  case damage(offset: UInt64, byteCount: UInt64)
}

/// Reads a volume from an address on, block after block, and goes on behind damage at the next 4 KiB boundary.
///
/// Blocks of other volumes, which a recycled or preallocated file may hold, are passed over in silence.
/// - Bounds: its memory is two blocks of the label's Maximum Block Size, whatever the volume holds.
package struct VolumeScanner: ~Copyable {
  private let file: any VolumeFile
  private let volume: UniqueIdentifier
  private let name: String
  private let maximumBlockSize: Int
  private let end: UInt64
  private let memory: UnsafeMutableRawBufferPointer
  /// Where in the volume the memory's first byte lies, and how many bytes are valid.
  private var windowOffset: UInt64 = 0
  private var windowCount = 0
  /// Where the scanner looks next.
  private var offset: UInt64
  private var damageStart: UInt64?
  /// The number of the last block found: what follows has a higher one, or is a copy of something else.
  private var lastNumber: UInt64?
  private var found: (header: BlockHeader, offset: UInt64)?

  /// Scans the bytes from `start`, rounded up to the alignment, to `end`.
  package init(file: any VolumeFile, label: VolumeLabel, name: String, from start: UInt64, to end: UInt64) {
    self.file = file
    self.volume = label.identifier
    self.name = name
    maximumBlockSize = Int(label.record.maximumBlockSize)
    self.end = end
    let unit = UInt64(BlockHeader.alignment)
    offset = start > UInt64.max - unit ? end : (start + unit - 1) / unit * unit
    memory = .allocate(byteCount: 2 * maximumBlockSize, alignment: BlockHeader.alignment)
  }

  deinit { memory.deallocate() }

  /// The volume that the first whole block of a file belongs to, in its first megabytes; nil when there is none.
  static func identify(_ file: any VolumeFile, name: String, size: UInt64) throws(DeviceError) -> UniqueIdentifier? {
    let none = VolumeLabel(standingInFor: .none, repository: .none, name: name)
    let limit = min(size, 2 * UInt64(none.record.maximumBlockSize))
    var scanner = VolumeScanner(file: file, label: none, name: name, from: 0, to: limit)
    while scanner.offset < limit {
      if case .block(let header) = try scanner.look(acceptingAny: true) { return header.volume }
      scanner.offset += UInt64(BlockHeader.alignment)
    }
    return nil
  }

  /// The payload of the block that `next` returned last.
  package var payload: UnsafeRawBufferPointer {
    guard let found else { return UnsafeRawBufferPointer(start: nil, count: 0) }
    let start = Int(found.offset - windowOffset)
    return UnsafeRawBufferPointer(
      rebasing: memory[start + BlockHeader.byteCount..<start + Int(found.header.length)])
  }

  /// The next block or stretch of damage; nil at the end.
  ///
  /// - Throws: `.io` when the file cannot be read.
  package mutating func next() throws(DeviceError) -> ScanEvent? {
    if let found {
      self.found = nil
      offset = found.offset + UInt64(found.header.paddedByteCount)
      lastNumber = found.header.number
    }
    while offset < end {
      switch try look() {
      case .block(let header):
        found = (header, offset)
        if let damage = takeDamage() {
          // The block is looked at again: the damage before it comes first.
          found = nil
          return damage
        }
        return .block(header, BlockAddress(byteOffset: offset))
      case .stale:
        if let damage = takeDamage() { return damage }
        offset += UInt64(BlockHeader.alignment)
      case .nothing:
        if damageStart == nil { damageStart = offset }
        offset += UInt64(BlockHeader.alignment)
      }
    }
    offset = min(offset, end)
    return takeDamage()
  }

  private mutating func takeDamage() -> ScanEvent? {
    guard let start = damageStart else { return nil }
    damageStart = nil
    return .damage(offset: start, byteCount: min(offset, end) - start)
  }

  private enum Sight {
    case block(BlockHeader)
    case stale
    case nothing
  }

  /// What lies at the present offset.
  private mutating func look(acceptingAny: Bool = false) throws(DeviceError) -> Sight {
    guard try load(BlockHeader.byteCount), let header = try? BlockHeader(decoding: bytes(BlockHeader.byteCount)) else {
      return .nothing
    }
    let length = Int(header.length)
    guard length <= maximumBlockSize, try load(length) else { return .nothing }
    let start = Int(offset - windowOffset)
    guard BlockHeader.isIntact(UnsafeMutableRawBufferPointer(rebasing: memory[start..<start + length])) else {
      return .nothing
    }
    if acceptingAny { return header.kind == .label ? .nothing : .block(header) }
    // Every block takes at least one unit, and numbers only grow: anything else was not written here by the volume.
    guard header.volume == volume, header.number <= offset / UInt64(BlockHeader.alignment),
      lastNumber.map({ header.number > $0 }) ?? true
    else { return .stale }
    return .block(header)
  }

  private func bytes(_ count: Int) -> UnsafeRawBufferPointer {
    let start = Int(offset - windowOffset)
    return UnsafeRawBufferPointer(rebasing: memory[start..<start + count])
  }

  /// Brings `count` bytes at the present offset into memory.
  ///
  /// - Returns: false when the volume ends before.
  private mutating func load(_ count: Int) throws(DeviceError) -> Bool {
    guard UInt64(count) <= end - offset else { return false }
    if offset >= windowOffset, offset - windowOffset <= UInt64(windowCount),
      windowCount - Int(offset - windowOffset) >= count
    {
      return true
    }
    var kept = 0
    if offset >= windowOffset, offset - windowOffset < UInt64(windowCount) {
      let start = Int(offset - windowOffset)
      kept = windowCount - start
      memory.copyMemory(from: UnsafeRawBufferPointer(rebasing: memory[start..<windowCount]))
    }
    windowOffset = offset
    windowCount = kept
    let wanted = Int(min(UInt64(memory.count), end - offset))
    let room = UnsafeMutableRawBufferPointer(rebasing: memory[kept..<wanted])
    do throws(StoreError) { windowCount += try file.readAll(into: room, at: offset + UInt64(kept)) } catch {
      throw DeviceError(error, volume: name)
    }
    return windowCount >= count
  }
}
