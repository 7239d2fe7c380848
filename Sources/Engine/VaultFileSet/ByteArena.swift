import Glibc
import VaultModel

/// A growing run of bytes that is emptied and filled again without giving its memory back.
///
/// Eight bytes behind the last one can always be read: names end there with a NUL, and are compared eight at a time.
struct ByteArena: ~Copyable {
  private static let slack = 8

  private(set) var base: UnsafeMutableRawPointer
  private(set) var count = 0
  private var capacity: Int

  init(capacity: Int = 4096) {
    self.capacity = capacity
    base = .allocate(byteCount: capacity + Self.slack, alignment: 16)
  }

  deinit { base.deallocate() }

  /// Everything inside, valid until the next change.
  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }

  /// A part, valid until the next change.
  func bytes(_ range: Range<Int>) -> UnsafeRawBufferPointer {
    precondition(range.lowerBound >= 0 && range.upperBound <= count)
    return UnsafeRawBufferPointer(start: base + range.lowerBound, count: range.count)
  }

  mutating func reserve(_ additional: Int) {
    guard count + additional > capacity else { return }
    let grown = max(capacity * 2, count + additional)
    let memory = UnsafeMutableRawPointer.allocate(byteCount: grown + Self.slack, alignment: 16)
    memory.copyMemory(from: base, byteCount: count)
    base.deallocate()
    base = memory
    capacity = grown
  }

  mutating func append(_ source: UnsafeRawBufferPointer) {
    reserve(source.count)
    if let start = source.baseAddress { (base + count).copyMemory(from: start, byteCount: source.count) }
    count += source.count
  }

  mutating func append(_ byte: UInt8) {
    reserve(1)
    base.storeBytes(of: byte, toByteOffset: count, as: UInt8.self)
    count += 1
  }

  /// Puts a NUL behind the last byte without counting it, so that a system call can take the tail as a name.
  mutating func terminate() { base.storeBytes(of: 0, toByteOffset: count, as: UInt8.self) }

  mutating func truncate(to newCount: Int) {
    precondition(newCount >= 0 && newCount <= count)
    count = newCount
  }
}

/// Bytewise order as `compareBytes` gives it, by the C library's own loop.
@inline(__always)
func orderOfBytes(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Int {
  let common = min(left.count, right.count)
  if common > 0, let a = left.baseAddress, let b = right.baseAddress {
    let order = memcmp(a, b, common)
    if order != 0 { return Int(order) }
  }
  return left.count - right.count
}
