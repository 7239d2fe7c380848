/// A SHA-256 digest, 32 bytes, held without an allocation.
///
/// - Layout: `words` are the digest's bytes, eight to a word, first byte most significant.
package struct Digest256: Hashable, Sendable {
  package var words: (UInt64, UInt64, UInt64, UInt64)

  package static let byteCount = 32

  package init(words: (UInt64, UInt64, UInt64, UInt64)) { self.words = words }

  /// Reads 32 bytes; nil when there are not exactly 32.
  package init?(bytes: UnsafeRawBufferPointer) {
    guard bytes.count == 32 else { return nil }
    func word(_ index: Int) -> UInt64 {
      UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self))
    }
    words = (word(0), word(1), word(2), word(3))
  }

  /// The digest as bytes, lent to `body`.
  package func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    let big = (words.0.bigEndian, words.1.bigEndian, words.2.bigEndian, words.3.bigEndian)
    return withUnsafeBytes(of: big, body)
  }

  /// 64 lower-case hexadecimal digits.
  package var text: String {
    func hex(_ value: UInt64) -> String {
      let digits = String(value, radix: 16)
      return String(repeating: "0", count: 16 - digits.count) + digits
    }
    return hex(words.0) + hex(words.1) + hex(words.2) + hex(words.3)
  }

  package static func == (left: Digest256, right: Digest256) -> Bool { left.words == right.words }
  package func hash(into hasher: inout Hasher) {
    hasher.combine(words.0)
    hasher.combine(words.3)
  }
}

/// What a digest was computed over.
package enum DigestAlgorithm: UInt8, Sendable {
  /// SHA-256 over the whole content.
  case sha256 = 1
  /// SHA-256 over (offset, length, bytes) of each data extent and then the final size: for files with holes.
  case sha256OfExtents = 2
}

/// A content's name: the session that carried its bytes and its index there.
///
/// A content's index is the index of the entry that carried it.
package struct ContentIdentifier: Hashable, Comparable, Sendable {
  package var session: UniqueIdentifier
  package var index: UInt64

  package init(session: UniqueIdentifier, index: UInt64) {
    self.session = session
    self.index = index
  }

  package static func < (left: ContentIdentifier, right: ContentIdentifier) -> Bool {
    (left.session.high, left.session.low, left.index) < (right.session.high, right.session.low, right.index)
  }
}

/// What is known of a content once it was read to its end.
package struct SealedContent: Hashable, Sendable {
  package var size: UInt64
  package var algorithm: DigestAlgorithm
  package var digest: Digest256
  package var flags: SealFlags

  package init(size: UInt64, algorithm: DigestAlgorithm, digest: Digest256, flags: SealFlags = []) {
    self.size = size
    self.algorithm = algorithm
    self.digest = digest
    self.flags = flags
  }
}

/// What happened while a content was read.
package struct SealFlags: OptionSet, Hashable, Sendable {
  package let rawValue: UInt8
  package init(rawValue: UInt8) { self.rawValue = rawValue }

  /// Size, mtime or ctime differed before and after reading.
  package static let changedWhileReading = SealFlags(rawValue: 1)
  /// The file ended before the size it had when it was opened.
  package static let partial = SealFlags(rawValue: 2)
  /// The file's ctime lies within timestamp granularity of its reading: the next job reads it again.
  package static let racy = SealFlags(rawValue: 4)
}

/// A piece of content that lies in a group of some session.
package struct Extent: Hashable, Sendable {
  package var session: UniqueIdentifier
  package var group: UInt64
  /// Where the piece begins in the group's raw bytes.
  package var rawOffset: UInt32
  package var length: UInt32
  /// Where the piece belongs in the file.
  package var fileOffset: UInt64

  package init(session: UniqueIdentifier, group: UInt64, rawOffset: UInt32, length: UInt32, fileOffset: UInt64) {
    self.session = session
    self.group = group
    self.rawOffset = rawOffset
    self.length = length
    self.fileOffset = fileOffset
  }
}

/// Where the bytes behind an entry are.
package enum ContentReference: Hashable, Sendable {
  /// The entry has no bytes: not a regular file.
  case none
  /// The bytes follow in the same session under the entry's own index, and a seal ends them.
  case own
  /// Bytes that a session carried, whole.
  case stored(ContentIdentifier, SealedContent)
  /// Bytes put together from pieces; absent pieces are holes.
  case extents([Extent], SealedContent)
}
