/// Bytes that are written one after another and thrown away together, in memory that is kept.
struct ScratchBuffer: ~Copyable {
  private var memory: UnsafeMutableRawBufferPointer
  private(set) var count = 0

  init(capacity: Int) {
    memory = .allocate(byteCount: max(capacity, 16), alignment: 8)
  }

  deinit { memory.deallocate() }

  /// The bytes of a range that was written; valid until the next append.
  func bytes(_ range: Range<Int>) -> UnsafeRawBufferPointer {
    precondition(range.upperBound <= count, "a range of a scratch buffer was never written")
    return UnsafeRawBufferPointer(rebasing: memory[range])
  }

  /// Forgets what was written from `count` on.
  mutating func truncate(to count: Int) {
    precondition(count <= self.count, "a scratch buffer cannot be cut to more than it holds")
    self.count = count
  }

  mutating func append(_ byte: UInt8) {
    reserve(1)
    memory[count] = byte
    count += 1
  }

  mutating func append(_ bytes: UnsafeRawBufferPointer) {
    reserve(bytes.count)
    if let source = bytes.baseAddress, let base = memory.baseAddress {
      (base + count).copyMemory(from: source, byteCount: bytes.count)
    }
    count += bytes.count
  }

  /// Copies bytes that were written before to the end.
  mutating func append(copyOf range: Range<Int>) {
    reserve(range.count)
    append(bytes(range))
  }

  mutating func append<Value: FixedWidthInteger>(littleEndian value: Value) {
    withUnsafeBytes(of: value.littleEndian) { append($0) }
  }

  /// Appends a number in LEB128: seven bits a byte, the lowest first, the top bit set on all but the last.
  mutating func append(variable value: UInt64) {
    reserve(10)
    var end = count
    var rest = value
    while rest >= 0x80 {
      memory[end] = UInt8(truncatingIfNeeded: rest) | 0x80
      end += 1
      rest >>= 7
    }
    memory[end] = UInt8(truncatingIfNeeded: rest)
    count = end + 1
  }

  /// Sets bits of a byte that was written before.
  mutating func setBits(_ bits: UInt8, at offset: Int) {
    precondition(offset < count, "a byte of a scratch buffer was never written")
    memory[offset] |= bits
  }

  // Each number and each byte of a row asks: the answer is inside the caller, and the rare growth is not.
  @inline(__always)
  private mutating func reserve(_ additional: Int) {
    if memory.count - count < additional { grow(additional) }
  }

  @inline(never)
  private mutating func grow(_ additional: Int) {
    let larger = UnsafeMutableRawBufferPointer.allocate(
      byteCount: max(memory.count * 2, count + additional), alignment: 8)
    larger.copyMemory(from: UnsafeRawBufferPointer(rebasing: memory[..<count]))
    memory.deallocate()
    memory = larger
  }
}
