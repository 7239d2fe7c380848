import struct SystemPackage.Errno
import VaultModel
import VaultSystem

/// A directory that is opened for what only an open one tells: inode flags and, without a way through /proc, extended attributes.
package struct DirectoryReader: ~Copyable {
  private let descriptor: Descriptor
  package let inodeFlags: InodeFlags?

  private static let flags: OpenFlags = [.readOnly, .directory, .noFollow, .nonBlocking, .noAccessTime]

  /// Opens a directory in a walked one.
  package init(in directory: WalkDirectory, name: UnsafePointer<CChar>) throws(Errno) {
    var flags = Self.flags
    while true {
      do throws(Errno) {
        descriptor = try Descriptor.open(at: directory.descriptor, name: name, flags)
        break
      } catch {
        // Only its owner may leave its access time alone.
        guard error == .notPermitted, flags.contains(.noAccessTime) else { throw error }
        flags.remove(.noAccessTime)
      }
    }
    do throws(Errno) { inodeFlags = try InodeFlags.read(of: descriptor.rawValue) } catch { inodeFlags = nil }
  }

  /// Reads the directory's extended attributes; see `ExtendedAttributeReader.read`.
  package func readExtendedAttributes(_ reader: inout ExtendedAttributeReader) -> Int32 {
    reader.read(of: descriptor.rawValue)
  }
}
