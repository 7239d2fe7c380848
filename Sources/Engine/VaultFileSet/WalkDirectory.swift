import struct SystemPackage.Errno
import VaultModel
import VaultSystem

/// A directory as the walk sees it, shared with the threads that open files relative to it.
///
/// Its descriptor is closed when the last reference goes. Whoever queues many directories bounds how many: a unit of work
/// is cut after some 128 directories, whatever its size.
package final class WalkDirectory: Sendable {
  let shared: SharedDescriptor
  package let key: DirectoryKey
  /// Only on the way to a selected path: it lists no other names.
  package let isVirtual: Bool
  /// Whether all names are known: what is absent is deleted.
  package let isComplete: Bool
  /// How exactly its file system keeps times; see `FileReader.isRacy`.
  package let granularityNanoseconds: Int64

  init(
    _ shared: SharedDescriptor, key: DirectoryKey, isVirtual: Bool, isComplete: Bool, granularityNanoseconds: Int64
  ) {
    self.shared = shared
    self.key = key
    self.isVirtual = isVirtual
    self.isComplete = isComplete
    self.granularityNanoseconds = granularityNanoseconds
  }

  /// The open directory, lent: valid as long as this object.
  package var descriptor: Int32 { shared.number }
  /// The absolute path.
  package var path: ByteString { key.path }
}

/// A descriptor with several holders, closed when the last one lets go.
final class SharedDescriptor: Sendable {
  private let descriptor: Descriptor

  init(_ descriptor: consuming Descriptor) { self.descriptor = descriptor }

  var number: Int32 { descriptor.rawValue }

  /// Puts all that was written to its file system on stable storage; see `Descriptor`.
  func synchronizeFileSystem() throws(Errno) { try descriptor.synchronizeFileSystem() }
}
