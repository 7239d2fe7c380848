import VaultModel

/// Appends little-endian fields to a growing buffer that is used again and again.
///
/// Not thread-safe; the memory is the writer's own and is freed with it.
package struct ByteWriter: ~Copyable {
  private var memory: UnsafeMutableRawBufferPointer
  package private(set) var count = 0

  package init(capacity: Int = 4096) {
    memory = .allocate(byteCount: max(64, capacity), alignment: 16)
  }

  deinit { memory.deallocate() }

  /// What was written, lent until the next change.
  package var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: memory[..<count]) }

  /// What was written, copied.
  package var array: [UInt8] { Array(bytes) }

  /// Forgets everything after the first `count` bytes.
  package mutating func truncate(to count: Int) { self.count = min(count, self.count) }
  package mutating func removeAll() { count = 0 }

  @inline(__always)
  private mutating func reserve(_ byteCount: Int) {
    if count + byteCount > memory.count { grow(by: byteCount) }
  }

  private mutating func grow(by byteCount: Int) {
    let larger = UnsafeMutableRawBufferPointer.allocate(
      byteCount: max(memory.count * 2, count + byteCount), alignment: 16)
    larger.copyMemory(from: bytes)
    memory.deallocate()
    memory = larger
  }

  @inline(__always)
  package mutating func integer<Integer: FixedWidthInteger>(_ value: Integer) {
    reserve(MemoryLayout<Integer>.size)
    memory.storeBytes(of: value.littleEndian, toByteOffset: count, as: Integer.self)
    count += MemoryLayout<Integer>.size
  }

  @inline(__always)
  package mutating func append(_ bytes: UnsafeRawBufferPointer) {
    guard let source = bytes.baseAddress, bytes.count > 0 else { return }
    reserve(bytes.count)
    (memory.baseAddress.map { $0 + count })?.copyMemory(from: source, byteCount: bytes.count)
    count += bytes.count
  }

  package mutating func append(_ bytes: ByteString) {
    bytes.bytes.withUnsafeBytes { append($0) }
  }

  package mutating func zeros(_ byteCount: Int) {
    for _ in 0..<byteCount { integer(0 as UInt8) }
  }

  package mutating func identifier(_ identifier: UniqueIdentifier) {
    integer(identifier.high.byteSwapped)
    integer(identifier.low.byteSwapped)
  }

  package mutating func digest(_ digest: Digest256) {
    integer(digest.words.0.byteSwapped)
    integer(digest.words.1.byteSwapped)
    integer(digest.words.2.byteSwapped)
    integer(digest.words.3.byteSwapped)
  }

  /// Overwrites four bytes at `offset`, which were written before.
  package mutating func patch(_ value: UInt32, at offset: Int) {
    guard offset >= 0, offset + 4 <= count else { return }
    memory.storeBytes(of: value.littleEndian, toByteOffset: offset, as: UInt32.self)
  }
}
