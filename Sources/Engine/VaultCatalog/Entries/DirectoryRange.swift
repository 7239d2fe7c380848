import VaultModel

/// A range of directory keys, from one to before another: a whole tree, or a directory and all below it.
///
/// A key is empty or begins with 0x00, so `01` is above every key, and a key followed by 0x01 is above everything that
/// lies below it.
struct DirectoryRange: Hashable {
  var low: [UInt8]
  var high: [UInt8]

  /// Above every key.
  static let end: [UInt8] = [1]

  static let everything = DirectoryRange(low: [], high: end)

  init(low: [UInt8], high: [UInt8]) {
    self.low = low
    self.high = high
  }

  /// A directory and all below it.
  init(within key: DirectoryKey) {
    low = key.bytes.bytes
    high = key.bytes.bytes + [1]
  }

  /// The part of the range after a directory.
  func after(_ key: DirectoryKey) -> DirectoryRange {
    let next = ByteString(key.successor)
    return DirectoryRange(low: ByteString(low) < next ? next.bytes : low, high: high)
  }
}

extension DirectoryKey {
  /// The least bytes that are above this key.
  var successor: [UInt8] { bytes.bytes + [0] }
}

extension ByteString {
  /// The least bytes that are above these.
  var successor: ByteString { ByteString(bytes + [0]) }
}
