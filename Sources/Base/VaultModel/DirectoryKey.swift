/// The key that puts directories in canonical order: the full path with every `/` written as 0x00.
///
/// The root directory's key is empty; `/etc` is `00 65 74 63`. Keys compare bytewise; a walk that emits all entries of
/// a directory, sorted, and then descends into its subdirectories, sorted, visits directories in this order.
package struct DirectoryKey: Hashable, Comparable, Sendable {
  package let bytes: ByteString

  /// The root directory.
  package static let root = DirectoryKey(keyBytes: [])

  package init(keyBytes: [UInt8]) { bytes = ByteString(keyBytes) }

  /// The key of an absolute path; repeated and trailing slashes count once.
  package init(path: ByteString) {
    var key: [UInt8] = []
    key.reserveCapacity(path.count)
    for component in path.bytes.split(separator: 0x2f) {
      key.append(0)
      key.append(contentsOf: component)
    }
    self.init(keyBytes: key)
  }

  /// The absolute path; `/` for the root.
  package var path: ByteString {
    if bytes.isEmpty { return "/" }
    return ByteString(bytes.bytes.map { $0 == 0 ? 0x2f : $0 })
  }

  /// The key of the directory `name` inside this one.
  package func appending(_ name: ByteString) -> DirectoryKey {
    DirectoryKey(keyBytes: bytes.bytes + [0] + name.bytes)
  }

  /// The directory that holds this one and its name in there; nil for the root.
  package var parentAndName: (parent: DirectoryKey, name: ByteString)? {
    guard let cut = bytes.bytes.lastIndex(of: 0) else { return nil }
    return (DirectoryKey(keyBytes: Array(bytes.bytes[..<cut])), ByteString(bytes.bytes[(cut + 1)...]))
  }

  /// Whether this directory is `other` or lies below it.
  package func isWithin(_ other: DirectoryKey) -> Bool {
    bytes.bytes.starts(with: other.bytes.bytes)
      && (bytes.count == other.bytes.count || bytes.bytes[other.bytes.count] == 0)
  }

  package static func < (left: DirectoryKey, right: DirectoryKey) -> Bool { left.bytes < right.bytes }
}

/// A place in canonical order: an entry's directory and its name there.
package struct CanonicalPosition: Hashable, Comparable, Sendable {
  package var directory: DirectoryKey
  package var name: ByteString

  package init(directory: DirectoryKey, name: ByteString) {
    self.directory = directory
    self.name = name
  }

  package static func < (left: CanonicalPosition, right: CanonicalPosition) -> Bool {
    left.directory == right.directory ? left.name < right.name : left.directory < right.directory
  }
}
