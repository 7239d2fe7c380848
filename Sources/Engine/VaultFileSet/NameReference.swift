import Glibc

/// Where a name lies in an arena, with its first eight bytes as a number for comparing.
struct NameReference {
  /// The first eight bytes, the first one most significant, zeros behind a shorter name.
  let prefix: UInt64
  let offset: UInt32
  let count: UInt16
  let type: UInt8

  /// Refers to a name of which at least eight bytes from its start can be read.
  @inline(__always)
  init(_ name: UnsafeRawBufferPointer, offset: UInt32, type: UInt8) {
    var word: UInt64 = 0
    if let start = name.baseAddress { word = UInt64(bigEndian: start.loadUnaligned(as: UInt64.self)) }
    if name.count < 8 { word &= name.isEmpty ? 0 : ~0 << UInt64((8 - name.count) * 8) }
    prefix = word
    self.offset = offset
    count = UInt16(truncatingIfNeeded: name.count)
    self.type = type
  }

  /// Negative, 0 or positive, as the names are ordered bytewise.
  @inline(__always)
  static func order(_ left: NameReference, _ right: NameReference, in base: UnsafeRawPointer) -> Int {
    if left.prefix != right.prefix { return left.prefix < right.prefix ? -1 : 1 }
    let common = Int(min(left.count, right.count))
    if common > 8 {
      let order = memcmp(base + Int(left.offset) + 8, base + Int(right.offset) + 8, common - 8)
      if order != 0 { return Int(order) }
    }
    return Int(left.count) - Int(right.count)
  }
}
