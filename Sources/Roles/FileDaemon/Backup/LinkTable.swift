import SystemPackage
import VaultModel
import VaultSystem

/// Contents of hard-linked inodes by device and inode: open addressing over slots of fixed size, in memory or in a file.
struct LinkTable: ~Copyable {
  /// Device, inode, content session and index, size, digest, flags, mtime, algorithm, ctime.
  private static let slotByteCount = 120
  private static let initialSlotCount = 1024

  private var memory: UnsafeMutableRawBufferPointer?
  private var file: Descriptor?
  private var slotCount = LinkTable.initialSlotCount
  private var used = 0
  private let memoryLimit: Int

  init(memoryLimit: Int) { self.memoryLimit = memoryLimit }
  deinit { memory?.deallocate() }

  /// Whether the table outgrew memory and lies in a temporary file.
  var isSpilled: Bool { file != nil }

  /// The content of an inode and, of its attributes, what proves that it is still the same file.
  mutating func find(device: UInt64, inode: UInt64) throws -> (ContentReference, FileAttributes)? {
    guard used > 0 else { return nil }
    var index = Self.hash(device, inode) % slotCount
    while true {
      let slot = try read(index)
      if slot.isFree { return nil }
      if slot.device == device, slot.inode == inode { return slot.value }
      index = (index + 1) % slotCount
    }
  }

  /// Adds an inode that is not in the table.
  mutating func insert(
    device: UInt64, inode: UInt64, _ identifier: ContentIdentifier, _ sealed: SealedContent, _ first: FileAttributes
  ) throws {
    if used * 4 >= slotCount * 3 || (memory == nil && file == nil) { try grow() }
    try place(
      Slot(
        device: device, inode: inode, identifier: identifier, sealed: sealed, modified: first.modified,
        changed: first.changed))
    used += 1
  }

  private mutating func place(_ slot: Slot) throws {
    var index = Self.hash(slot.device, slot.inode) % slotCount
    while try !read(index).isFree { index = (index + 1) % slotCount }
    try write(slot, index)
  }

  private static func hash(_ device: UInt64, _ inode: UInt64) -> Int {
    var word = (device &* 0x9e37_79b9_7f4a_7c15) ^ inode
    word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
    word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
    return Int((word ^ (word >> 31)) >> 1)
  }

  // MARK: Growing

  private mutating func grow() throws {
    let isFirst = memory == nil && file == nil
    var larger = LinkTable(memoryLimit: memoryLimit)
    larger.slotCount = isFirst ? slotCount : slotCount * 2
    let byteCount = larger.slotCount * Self.slotByteCount
    if byteCount <= memoryLimit {
      let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount, alignment: 16)
      memory.initializeMemory(as: UInt8.self, repeating: 0)
      larger.memory = memory
    } else {
      let file = try TemporaryFile.open(in: TemporaryFile.defaultDirectory)
      do throws(Errno) { try file.truncate(to: Int64(byteCount)) } catch { throw Self.failure("ftruncate", error) }
      larger.file = consume file
    }
    if !isFirst {
      for index in 0..<slotCount {
        let slot = try read(index)
        if !slot.isFree { try larger.place(slot) }
      }
    }
    larger.used = used
    self = larger
  }

  private static func failure(_ call: String, _ errno: Errno) -> SystemError {
    SystemError(errno, call: call, object: "the temporary file for hard links")
  }

  // MARK: Slots

  private func read(_ index: Int) throws -> Slot {
    let offset = index * Self.slotByteCount
    if let memory {
      return Slot(UnsafeRawBufferPointer(rebasing: memory[offset..<offset + Self.slotByteCount]))
    }
    return try withUnsafeTemporaryAllocation(byteCount: Self.slotByteCount, alignment: 8) { buffer in
      do throws(Errno) {
        guard try file?.read(into: buffer, at: Int64(offset)) == buffer.count else { throw .ioError }
      } catch { throw Self.failure("pread", error) }
      return Slot(UnsafeRawBufferPointer(buffer))
    }
  }

  private mutating func write(_ slot: Slot, _ index: Int) throws {
    let offset = index * Self.slotByteCount
    if let memory {
      slot.encode(into: UnsafeMutableRawBufferPointer(rebasing: memory[offset..<offset + Self.slotByteCount]))
      return
    }
    try withUnsafeTemporaryAllocation(byteCount: Self.slotByteCount, alignment: 8) { buffer in
      slot.encode(into: buffer)
      do throws(Errno) { try file?.writeAll(UnsafeRawBufferPointer(buffer), at: Int64(offset)) } catch {
        throw Self.failure("pwrite", error)
      }
    }
  }

  /// One inode's content.
  private struct Slot {
    var device: UInt64
    var inode: UInt64
    var identifier: ContentIdentifier
    var sealed: SealedContent
    var modified: FileTime
    var changed: FileTime

    init(
      device: UInt64, inode: UInt64, identifier: ContentIdentifier, sealed: SealedContent, modified: FileTime,
      changed: FileTime
    ) {
      self.device = device
      self.inode = inode
      self.identifier = identifier
      self.sealed = sealed
      self.modified = modified
      self.changed = changed
    }

    /// Inode numbers begin at 1.
    var isFree: Bool { inode == 0 }

    var value: (ContentReference, FileAttributes) {
      (
        .stored(identifier, sealed),
        FileAttributes(
          type: .regular, mode: 0, device: device, inode: inode, size: sealed.size, modified: modified,
          changed: changed)
      )
    }

    init(_ bytes: UnsafeRawBufferPointer) {
      func word(_ index: Int) -> UInt64 { bytes.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self) }
      device = word(0)
      inode = word(1)
      identifier = ContentIdentifier(session: UniqueIdentifier(high: word(2), low: word(3)), index: word(4))
      sealed = SealedContent(
        size: word(5), algorithm: word(13) == 2 ? .sha256OfExtents : .sha256,
        digest: Digest256(words: (word(6), word(7), word(8), word(9))),
        flags: SealFlags(rawValue: UInt8(truncatingIfNeeded: word(10))))
      modified = FileTime(
        seconds: Int64(bitPattern: word(11)), nanoseconds: UInt32(truncatingIfNeeded: word(12)))
      changed = FileTime(
        seconds: Int64(bitPattern: word(14)), nanoseconds: UInt32(truncatingIfNeeded: word(12) >> 32))
    }

    func encode(into bytes: UnsafeMutableRawBufferPointer) {
      let words: (UInt64, UInt64, UInt64, UInt64) = sealed.digest.words
      let all = [
        device, inode, identifier.session.high, identifier.session.low, identifier.index, sealed.size, words.0, words.1,
        words.2, words.3, UInt64(sealed.flags.rawValue), UInt64(bitPattern: modified.seconds),
        UInt64(modified.nanoseconds) | UInt64(changed.nanoseconds) << 32, UInt64(sealed.algorithm.rawValue),
        UInt64(bitPattern: changed.seconds),
      ]
      for (index, word) in all.enumerated() { bytes.storeBytes(of: word, toByteOffset: index * 8, as: UInt64.self) }
    }
  }
}
