/// What kind of thing a name in a directory stands for.
package enum FileType: UInt8, Sendable, CaseIterable {
  case regular = 1
  case directory = 2
  case symbolicLink = 3
  case fifo = 4
  case socket = 5
  case characterDevice = 6
  case blockDevice = 7
}

/// A file's time: seconds since 1970-01-01T00:00:00Z, negative before, and nanoseconds 0 to 999,999,999 after that second.
package struct FileTime: Hashable, Comparable, Sendable {
  package var seconds: Int64
  package var nanoseconds: UInt32

  package init(seconds: Int64, nanoseconds: UInt32) {
    self.seconds = seconds
    self.nanoseconds = nanoseconds
  }

  package static func < (left: FileTime, right: FileTime) -> Bool {
    (left.seconds, left.nanoseconds) < (right.seconds, right.nanoseconds)
  }
}

/// What `chattr` changes, as `FS_IOC_GETFLAGS` numbers it, as far as it can be set again.
package struct InodeFlags: OptionSet, Hashable, Sendable {
  package let rawValue: UInt32
  package init(rawValue: UInt32) { self.rawValue = rawValue }

  package static let compressed = InodeFlags(rawValue: 0x4)
  package static let immutable = InodeFlags(rawValue: 0x10)
  package static let appendOnly = InodeFlags(rawValue: 0x20)
  /// Not to be backed up.
  package static let noDump = InodeFlags(rawValue: 0x40)
  package static let notCompressed = InodeFlags(rawValue: 0x400)
  package static let journaledData = InodeFlags(rawValue: 0x4000)
  package static let noCopyOnWrite = InodeFlags(rawValue: 0x80_0000)

  /// Secure deletion, undeletable, compressed, synchronous, immutable, append-only, no dump, no atime, not compressed,
  /// journaled data, no tail merging, synchronous directory, top directory, no copy on write, direct access, project inherited.
  package static let settable = InodeFlags(rawValue: 0x2283_c4ff)
}

/// What the file system keeps about a file besides its name and its bytes, as far as it has a fixed size.
package struct FileAttributes: Hashable, Sendable {
  package var type: FileType
  /// Permission bits with setuid, setgid and sticky: `st_mode & 07777`.
  package var mode: UInt32
  package var owner: UInt32
  package var group: UInt32
  /// `st_dev`, as the kernel numbered it when the file was read.
  package var device: UInt64
  package var inode: UInt64
  package var linkCount: UInt32
  /// Bytes; 0 for anything but regular files and symbolic links.
  package var size: UInt64
  package var modified: FileTime
  package var changed: FileTime
  package var accessed: FileTime
  /// The numbers of a device node, `st_rdev`; 0 for everything else.
  package var specialDevice: UInt64
  /// As far as they are known; a walk knows fewer than who opened the file.
  package var inodeFlags: InodeFlags

  package init(
    type: FileType, mode: UInt32, owner: UInt32 = 0, group: UInt32 = 0, device: UInt64 = 0, inode: UInt64 = 0,
    linkCount: UInt32 = 1, size: UInt64 = 0, modified: FileTime = FileTime(seconds: 0, nanoseconds: 0),
    changed: FileTime = FileTime(seconds: 0, nanoseconds: 0), accessed: FileTime = FileTime(seconds: 0, nanoseconds: 0),
    specialDevice: UInt64 = 0, inodeFlags: InodeFlags = []
  ) {
    self.type = type
    self.mode = mode
    self.owner = owner
    self.group = group
    self.device = device
    self.inode = inode
    self.linkCount = linkCount
    self.size = size
    self.modified = modified
    self.changed = changed
    self.accessed = accessed
    self.specialDevice = specialDevice
    self.inodeFlags = inodeFlags
  }

  /// Whether other names may stand for the same file: not a directory, and the link count is above one.
  package var isHardLinked: Bool { linkCount > 1 && type != .directory }
}
