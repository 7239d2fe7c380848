import struct SystemPackage.Errno
import VaultModel
import VaultProtocol
import VaultSystem

/// The directories below the target that one thread of a restore has open, opened and made on demand.
///
/// A directory is named by its stored absolute path; it never leads out of the target, and no symbolic link is followed.
/// - Bounds: at most `limit` descriptors, two at least, and those on the way to one that is being opened.
package struct RestoreDirectoryCache: ~Copyable {
  private static let flags: OpenFlags = [.pathOnly, .directory, .noFollow]

  private let target: RestoreTarget
  /// How many of each age.
  private let limit: Int
  /// Those used since the others became old. When there are too many they become old, and the old ones go.
  private var recent: [ByteString: SharedDescriptor] = [:]
  private var old: [ByteString: SharedDescriptor] = [:]
  private var last: (path: ByteString, descriptor: SharedDescriptor)?

  package init(target: RestoreTarget, limit: Int = 64) {
    self.target = target
    self.limit = max(1, limit / 2)
  }

  /// The open directory; what is missing on the way is made, readable by its owner only.
  ///
  /// - Throws: `.unsafeName`, `.notADirectory`, `.createDirectory`.
  mutating func open(_ path: ByteString) throws(FileSetError) -> SharedDescriptor {
    if let last, last.path == path { return last.descriptor }
    guard path.bytes.withUnsafeBytes({ NameRules.isAbsolutePath($0) }) else { throw FileSetError(.unsafeName, path) }
    let descriptor = try find(path)
    last = (path, descriptor)
    return descriptor
  }

  private mutating func find(_ path: ByteString) throws(FileSetError) -> SharedDescriptor {
    if path.count == 1 { return target.root }
    if let found = recent[path] { return found }
    let descriptor: SharedDescriptor
    if let found = old[path] {
      descriptor = found
    } else {
      let (ancestor, rest) = nearestAncestor(of: path)
      if let opened = openAtOnce(ancestor, rest) {
        descriptor = opened
      } else {
        descriptor = try openByName(ancestor, rest, of: path)
      }
    }
    if recent.count >= limit {
      old = recent
      recent.removeAll(keepingCapacity: true)
    }
    recent[path] = descriptor
    return descriptor
  }

  /// The deepest open directory on the way and what remains from there, without a leading slash.
  private func nearestAncestor(of path: ByteString) -> (SharedDescriptor, ArraySlice<UInt8>) {
    var end = path.count
    while let cut = path.bytes[..<end].lastIndex(of: 0x2f), cut > 0 {
      let above = ByteString(path.bytes[..<cut])
      if let found = recent[above] ?? old[above] { return (found, path.bytes[(cut + 1)...]) }
      end = cut
    }
    return (target.root, path.bytes[1...])
  }

  /// One call for the whole way; nil when the kernel does not have it, or something is missing or in the way.
  private func openAtOnce(_ directory: SharedDescriptor, _ rest: ArraySlice<UInt8>) -> SharedDescriptor? {
    guard rest.count < 4096 else { return nil }
    return try? SharedDescriptor(
      Descriptor.openBeneath(directory.number, ByteString(rest), Self.flags))
  }

  private func openByName(
    _ directory: SharedDescriptor, _ rest: ArraySlice<UInt8>, of path: ByteString
  ) throws(FileSetError) -> SharedDescriptor {
    var current = directory
    for component in rest.split(separator: 0x2f) {
      let name = ByteString(component)
      let shown = target.shownPath(ByteString(path.bytes[..<component.endIndex]))
      current = try Self.openOrMake(current, name, shown)
    }
    return current
  }

  private static func openOrMake(
    _ directory: SharedDescriptor, _ name: ByteString, _ shown: ByteString
  ) throws(FileSetError) -> SharedDescriptor {
    do throws(Errno) {
      if let opened = try openIfThere(directory, name) { return opened }
      do throws(Errno) {
        try DirectoryNames.makeDirectory(at: directory.number, name, mode: 0o700)
      } catch {
        // Another thread of the restore made it first.
        if error != .fileExists { throw error }
      }
      if let opened = try openIfThere(directory, name) { return opened }
      throw .noSuchFileOrDirectory
    } catch {
      let isInTheWay = error == .notDirectory || error == .tooManySymbolicLinkLevels
      throw FileSetError(isInTheWay ? .notADirectory : .createDirectory, shown, error)
    }
  }

  private static func openIfThere(
    _ directory: SharedDescriptor, _ name: ByteString
  ) throws(Errno) -> SharedDescriptor? {
    do throws(SystemError) {
      return SharedDescriptor(
        try Descriptor.open(at: directory.number, name, flags))
    } catch {
      if error.errno == .noSuchFileOrDirectory { return nil }
      throw error.errno
    }
  }
}
