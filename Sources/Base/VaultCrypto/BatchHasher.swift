import VaultModel

/// Digests contents without holes, many at once: side by side in one processor's registers, where there is a library for that.
///
/// One hasher belongs to one thread.
package struct BatchHasher: ~Copyable {
  private var hasher: SHA256Hasher
  private let lanes: DigestLanes?
  private var contents: [UnsafeRawBufferPointer] = []

  /// As many contents as a group of small files has, more or less: no list of them grows further.
  package static let usualCount = 1024

  /// - Throws: `CryptoError` when the library has no SHA-256 or no memory.
  package init() throws(CryptoError) {
    var hasher = try SHA256Hasher()
    let lanes = try DigestLanes.agreeing(with: &hasher)
    self.hasher = hasher
    self.lanes = lanes
    contents.reserveCapacity(Self.usualCount)
  }

  /// Whether there is a library for this processor that digests side by side.
  var isSideBySide: Bool { lanes != nil }

  /// How many contents wait for `finish`.
  package var count: Int { contents.count }

  /// Adds a content, which must stay where it is until `finish`.
  package mutating func add(_ content: UnsafeRawBufferPointer) { contents.append(content) }

  /// Forgets what was added.
  package mutating func removeAll() { contents.removeAll(keepingCapacity: true) }

  /// Fills `digests` with those of what was added, in that order, and forgets what was added.
  package mutating func finish(into digests: inout [Digest256]) throws(CryptoError) {
    defer { removeAll() }
    digests.removeAll(keepingCapacity: true)
    // One three times as long as all others together would mostly be alone, which takes longer side by side with nothing.
    let limit = contents.reduce(0) { $0 + $1.count } / 4 * 3
    let isWorthIt = contents.lazy.filter { Self.isShared($0, limit) }.prefix(2).count == 2
    if let lanes, isWorthIt, lanes.digest(contents, limit: limit, into: &digests) {
      for (place, content) in contents.enumerated() where !Self.isShared(content, limit) {
        digests[place] = try hasher.digest(content)
      }
    } else {
      for content in contents { digests.append(try hasher.digest(content)) }
    }
  }

  private static func isShared(_ content: UnsafeRawBufferPointer, _ limit: Int) -> Bool {
    !content.isEmpty && content.count <= limit
  }
}

extension DigestLanes {
  /// Lanes whose digests are the hasher's on this processor; nil when there are none.
  fileprivate static func agreeing(with hasher: inout SHA256Hasher) throws(CryptoError) -> DigestLanes? {
    guard let lanes = DigestLanes() else { return nil }
    // Padded in every way, longer than 16 bits count, and more of them than there are lanes.
    var byteCounts = [1, 3, 55, 56, 63, 64, 65, 119, 120, 127, 128, 200, 255, 256, 300, 447, 448, 500, 511, 512]
    byteCounts += [70_000, 65_535, 131_100]
    let bytes = (0..<131_100).map { UInt8(truncatingIfNeeded: $0 &* 131 ^ $0 >> 7) }
    return try bytes.withUnsafeBufferPointer { (bytes) throws(CryptoError) -> DigestLanes? in
      let contents = byteCounts.map { UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: bytes[..<$0])) }
      var digests: [Digest256] = []
      guard lanes.digest(contents, limit: .max, into: &digests) else { return nil }
      for (content, digest) in zip(contents, digests) {
        guard try hasher.digest(content) == digest else { return nil }
      }
      return lanes
    }
  }
}

extension SHA256Hasher {
  fileprivate mutating func digest(_ content: UnsafeRawBufferPointer) throws(CryptoError) -> Digest256 {
    try begin()
    try update(content)
    return try finish()
  }
}
