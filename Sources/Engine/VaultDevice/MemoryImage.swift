import Glibc

/// A growing run of bytes that is copied in pieces: what a file in memory consists of.
struct MemoryImage: Sendable {
  // Longer than `count`, so that appending copies little; what lies behind is undefined.
  private var storage: [UInt8]
  private(set) var count: Int

  init(_ bytes: [UInt8] = []) {
    storage = bytes
    count = bytes.count
  }

  /// The bytes, copied.
  var bytes: [UInt8] { Array(storage[..<count]) }

  /// Lends the bytes.
  func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    storage.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
  }

  /// Cuts the bytes, or adds zeros.
  mutating func resize(to newCount: Int) {
    if newCount > storage.count {
      let capacity = max(newCount, 2 * storage.count)
      storage = [UInt8](unsafeUninitializedCapacity: capacity) { buffer, initializedCount in
        withBytes { old in UnsafeMutableRawBufferPointer(buffer).copyMemory(from: old) }
        if let base = buffer.baseAddress { memset(base + count, 0, capacity - count) }
        initializedCount = capacity
      }
    } else if newCount > count {
      let start = count
      storage.withUnsafeMutableBytes { bytes in
        if let base = bytes.baseAddress { _ = memset(base + start, 0, newCount - start) }
      }
    }
    count = newCount
  }

  /// Overwrites a range, which the image holds.
  mutating func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
    guard offset >= 0, offset <= count - bytes.count else { return }
    storage.withUnsafeMutableBytes { storage in
      UnsafeMutableRawBufferPointer(rebasing: storage[offset..<offset + bytes.count]).copyMemory(from: bytes)
    }
  }

  /// Copies what another image holds of a range; zeros behind its end.
  mutating func copy(_ range: Range<Int>, from other: MemoryImage) {
    guard range.lowerBound >= 0, range.upperBound <= count else { return }
    let heldEnd = max(range.lowerBound, min(range.upperBound, other.count))
    if heldEnd > range.lowerBound {
      other.withBytes { write(UnsafeRawBufferPointer(rebasing: $0[range.lowerBound..<heldEnd]), at: range.lowerBound) }
    }
    storage.withUnsafeMutableBytes { bytes in
      if let base = bytes.baseAddress { _ = memset(base + heldEnd, 0, range.upperBound - heldEnd) }
    }
  }
}
