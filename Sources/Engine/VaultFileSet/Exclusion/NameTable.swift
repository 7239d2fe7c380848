/// Names and the last pattern that each stands for: one look, whatever the number of patterns.
struct NameTable: Sendable {
  struct Value: Sendable {
    /// The last pattern for names of any type, and the last one for directories only; −1 for none.
    var anything: Int32 = -1
    var directory: Int32 = -1
  }

  private var names: [[UInt8]] = []
  private var values: [Value] = []
  /// An index into `names`, −1 where nothing lies; a power of two of them, at most half of them used.
  private var slots: [Int32] = []

  var isEmpty: Bool { names.isEmpty }

  mutating func insert(_ name: [UInt8], pattern: Int32, isDirectoryOnly: Bool) {
    if (names.count + 1) * 2 > slots.count { grow() }
    let slot = name.withUnsafeBytes { find($0) }
    var index = Int(slots[slot])
    if index < 0 {
      index = names.count
      slots[slot] = Int32(index)
      names.append(name)
      values.append(Value())
    }
    if isDirectoryOnly { values[index].directory = pattern } else { values[index].anything = pattern }
  }

  /// What is known of a name; nil when it is in no pattern.
  @inline(__always)
  func value(of name: UnsafeRawBufferPointer) -> Value? {
    if names.isEmpty { return nil }
    let index = Int(slots[find(name)])
    return index < 0 ? nil : values[index]
  }

  /// The slot that holds the name, or the free one where it would lie.
  private func find(_ name: UnsafeRawBufferPointer) -> Int {
    let mask = slots.count - 1
    var slot = Int(truncatingIfNeeded: Self.hash(name)) & mask
    while slots[slot] >= 0 {
      let isEqual = names[Int(slots[slot])].withUnsafeBytes { $0.count == name.count && orderOfBytes($0, name) == 0 }
      if isEqual { break }
      slot = (slot + 1) & mask
    }
    return slot
  }

  private mutating func grow() {
    slots = Array(repeating: -1, count: max(16, slots.count * 2))
    for (index, name) in names.enumerated() {
      let slot = name.withUnsafeBytes { find($0) }
      slots[slot] = Int32(index)
    }
  }

  /// FNV-1a, folded: the patterns are the user's own, so nobody gains by making them collide.
  private static func hash(_ name: UnsafeRawBufferPointer) -> UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in name { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
    return hash ^ (hash >> 32)
  }
}
