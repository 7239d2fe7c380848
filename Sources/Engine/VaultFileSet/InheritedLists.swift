import struct SystemPackage.Errno
import VaultModel
import VaultSystem

/// The access control lists that the kernel gives to what is made in a directory with a default list.
///
/// What is restored has the lists that were saved and no others: else a private file would open to whom the directory lets in.
enum InheritedLists {
  private static let access = "system.posix_acl_access"
  private static let inherited = "system.posix_acl_default"

  /// Whether what is made in a directory inherits a list.
  static func areGiven(by object: AttributedObject) -> Bool {
    inherited.withCString { name in
      do throws(Errno) {
        return try object.read(name, into: UnsafeMutableRawBufferPointer(start: nil, count: 0)) > 0
      } catch { return false }
    }
  }

  /// Takes away what something that was just made has inherited.
  static func remove(from object: AttributedObject) {
    for list in [access, inherited] {
      // Most have none.
      list.withCString { name in do throws(Errno) { try object.remove(name) } catch { return } }
    }
  }

  /// The same for a name that was just made.
  static func remove(at directory: Int32, _ name: ByteString) {
    name.bytes.withUnsafeBytes { name in AttributedObject.withName(at: directory, name) { remove(from: $0) } }
  }
}
