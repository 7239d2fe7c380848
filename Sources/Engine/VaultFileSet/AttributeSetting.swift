import struct SystemPackage.Errno
import VaultModel
import VaultProtocol
import VaultSystem

/// Sets owner, extended attributes, mode and times of what was restored, in this order, and says what was refused.
///
/// Giving a file away takes its capabilities and setuid, so that those come after; the mode comes after access control lists,
/// whose mask its group bits are.
enum AttributeSetting {
  private static let unchanged = UInt32.max

  /// For an open file or directory. `extended` is a list as `ExtendedAttributeList` has it.
  ///
  /// - Parameter isAsSaved: whether it has the owner, the group and the mode already.
  static func apply(
    _ attributes: FileAttributes, extended: ByteString, to descriptor: Int32, isAsSaved: Bool = false
  ) -> UnsetAttributes {
    var unset: UnsetAttributes = []
    if !isAsSaved {
      setOwner(attributes, &unset) { owner, group throws(Errno) in
        try OpenFile.setOwner(descriptor, owner: owner, group: group)
      }
    }
    setExtended(extended, of: .descriptor(descriptor), &unset)
    if !isAsSaved {
      do throws(Errno) { try OpenFile.setMode(descriptor, mode(attributes, unset)) } catch {
        unset.insert(.mode, error)
      }
    }
    do throws(Errno) {
      try OpenFile.setTimes(descriptor, accessed: attributes.accessed, modified: attributes.modified)
    } catch { unset.insert(.times, error) }
    return unset
  }

  /// For a name that cannot be opened: links, nodes, directories without permission to read. No link is followed.
  static func apply(
    _ attributes: FileAttributes, extended: ByteString, at directory: Int32, _ name: ByteString
  ) -> UnsetAttributes {
    var unset: UnsetAttributes = []
    setOwner(attributes, &unset) { owner, group throws(Errno) in
      try NamedFile.setOwner(at: directory, name, owner: owner, group: group)
    }
    if extended.count > 0 {
      name.bytes.withUnsafeBytes { bytes in
        AttributedObject.withName(at: directory, bytes) { setExtended(extended, of: $0, &unset) }
      }
    }
    if attributes.type != .symbolicLink {
      do throws(Errno) { try NamedFile.setMode(at: directory, name, mode(attributes, unset)) } catch {
        unset.insert(.mode, error)
      }
    }
    do throws(Errno) {
      try NamedFile.setTimes(at: directory, name, accessed: attributes.accessed, modified: attributes.modified)
    } catch { unset.insert(.times, error) }
    return unset
  }

  /// Sets inode flags, the last thing of all: some forbid every change after. What is set already stays.
  static func add(_ flags: InodeFlags, to descriptor: Int32, _ unset: inout UnsetAttributes) {
    guard !flags.isEmpty else { return }
    do throws(Errno) { return try InodeFlags.add(flags, to: descriptor) } catch {
      // One that may not be set, or that the file system lacks, keeps the others from nothing; immutable still comes last.
      let last: InodeFlags = [.immutable, .appendOnly]
      for part in [flags.subtracting(last), flags.intersection(last)] {
        for bit in 0..<UInt32.bitWidth where part.rawValue & (1 << bit) != 0 {
          do throws(Errno) { try InodeFlags.add(InodeFlags(rawValue: 1 << bit), to: descriptor) } catch {
            unset.insert(.inodeFlags, error)
          }
        }
      }
    }
  }

  private static func setOwner(
    _ attributes: FileAttributes, _ unset: inout UnsetAttributes, _ set: (UInt32, UInt32) throws(Errno) -> Void
  ) {
    do throws(Errno) { try set(attributes.owner, attributes.group) } catch {
      unset.insert(.owner, error)
      // The group alone may still be one of ours.
      do throws(Errno) { try set(unchanged, attributes.group) } catch { return }
    }
  }

  private static func setExtended(
    _ list: ByteString, of object: AttributedObject, _ unset: inout UnsetAttributes
  ) {
    guard !list.isEmpty else { return }
    let failure: Errno? = list.bytes.withUnsafeBytes { list in
      var failure: Errno?
      do throws(FormatError) {
        try ExtendedAttributeList.read(list) { name, value in
          let error = set(ByteString(name), value, of: object)
          if failure == nil { failure = error }
        }
      } catch { return failure ?? .illegalByteSequence }
      return failure
    }
    if let failure { unset.insert(.extendedAttributes, failure) }
  }

  private static func set(_ name: ByteString, _ value: UnsafeRawBufferPointer, of object: AttributedObject) -> Errno? {
    name.withCString { name in
      do throws(Errno) { try object.set(name, value) } catch { return error }
      return nil
    }
  }

  /// A file that could not be given to its owner must not act as somebody else.
  private static func mode(_ attributes: FileAttributes, _ unset: UnsetAttributes) -> UInt32 {
    let isForeign = unset.contains(.owner) && attributes.type != .directory
    return isForeign ? attributes.mode & 0o1777 : attributes.mode
  }
}
