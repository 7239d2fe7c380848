import Glibc
import VaultModel

/// Where a path leads when all symbolic links in it are followed.
package enum RealPath {
  /// The path with the links of everything that exists resolved; what does not exist yet stays as it is written.
  ///
  /// A `..` behind what does not exist takes a component away.
  package static func resolving(_ path: ByteString) -> ByteString {
    var existing = path.bytes
    var rest: [[UInt8]] = []
    while true {
      if let resolved = realPath(existing) {
        return ByteString(append(rest, to: resolved))
      }
      while existing.count > 1, existing.last == 0x2f { existing.removeLast() }
      guard let slash = existing.lastIndex(of: 0x2f) else { return path }
      let component = Array(existing[(slash + 1)...])
      rest.insert(component, at: 0)
      existing = slash == 0 ? [0x2f] : Array(existing[..<slash])
      if existing == [0x2f], component.isEmpty { return ByteString([0x2f]) }
    }
  }

  /// Whether a resolved path is a directory or lies below it.
  package static func isWithin(_ path: ByteString, _ directory: ByteString) -> Bool {
    if directory == "/" { return true }
    guard path.bytes.starts(with: directory.bytes) else { return false }
    return path.count == directory.count || path.bytes[directory.count] == 0x2f
  }

  private static func append(_ components: [[UInt8]], to base: [UInt8]) -> [UInt8] {
    var path = base
    for component in components where !component.isEmpty && component != [0x2e] {
      if component == [0x2e, 0x2e] {
        path = path.lastIndex(of: 0x2f).map { Array(path[..<$0]) } ?? path
        if path.isEmpty { path = [0x2f] }
      } else {
        if path != [0x2f] { path.append(0x2f) }
        path += component
      }
    }
    return path
  }

  private static func realPath(_ path: [UInt8]) -> [UInt8]? {
    ByteString(path).withCString { name in
      guard let resolved = realpath(name, nil) else { return nil }
      defer { free(resolved) }
      return Array(UnsafeRawBufferPointer(start: resolved, count: strlen(resolved)))
    }
  }
}
