import struct SystemPackage.Errno
import VaultModel
import VaultSystem

/// Sets owner, mode and times of what was restored, and says what was refused.
enum AttributeSetting {
  private static let unchanged = UInt32.max

  /// For an open file or directory.
  static func apply(_ attributes: FileAttributes, to descriptor: Int32) -> UnsetAttributes {
    var unset = setOwner(attributes) { owner, group throws(Errno) in
      try OpenFile.setOwner(descriptor, owner: owner, group: group)
    }
    do throws(Errno) { try OpenFile.setMode(descriptor, mode(attributes, unset)) } catch { unset.insert(.mode) }
    do throws(Errno) {
      try OpenFile.setTimes(descriptor, accessed: attributes.accessed, modified: attributes.modified)
    } catch { unset.insert(.times) }
    return unset
  }

  /// For a name that cannot be opened: links, nodes, directories without permission to read. No link is followed.
  static func apply(_ attributes: FileAttributes, at directory: Int32, _ name: ByteString) -> UnsetAttributes {
    var unset = setOwner(attributes) { owner, group throws(Errno) in
      try NamedFile.setOwner(at: directory, name, owner: owner, group: group)
    }
    if attributes.type != .symbolicLink {
      do throws(Errno) { try NamedFile.setMode(at: directory, name, mode(attributes, unset)) } catch {
        unset.insert(.mode)
      }
    }
    do throws(Errno) {
      try NamedFile.setTimes(at: directory, name, accessed: attributes.accessed, modified: attributes.modified)
    } catch { unset.insert(.times) }
    return unset
  }

  private static func setOwner(
    _ attributes: FileAttributes, _ set: (UInt32, UInt32) throws(Errno) -> Void
  ) -> UnsetAttributes {
    do throws(Errno) {
      try set(attributes.owner, attributes.group)
      return []
    } catch {
      // The group alone may still be one of ours.
      do throws(Errno) { try set(unchanged, attributes.group) } catch { return .owner }
      return .owner
    }
  }

  /// A file that could not be given to its owner must not act as somebody else.
  private static func mode(_ attributes: FileAttributes, _ unset: UnsetAttributes) -> UInt32 {
    let isForeign = unset.contains(.owner) && attributes.type != .directory
    return isForeign ? attributes.mode & 0o1777 : attributes.mode
  }
}
