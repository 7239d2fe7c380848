import CLinux
import struct SystemPackage.Errno
import VaultModel

/// What the file system says of a name or of an open file.
package enum FileStatus {
  /// The attributes of a name in a directory; a symbolic link is not followed. The corresponding C function is `statx`.
  ///
  /// It allocates nothing.
  /// - Throws: what `statx` says; `.outOfRange` for a size or a type that no file of this system has.
  package static func read(at directory: Int32, name: UnsafePointer<CChar>) throws(Errno) -> FileAttributes {
    try attributes(try status(at: directory, name, linkFlags))
  }

  /// The attributes of a name in a directory; a symbolic link is not followed.
  package static func read(at directory: Int32, name: ByteString) throws(Errno) -> FileAttributes {
    let result: Result<FileAttributes, Errno> = name.withCString { name in
      do throws(Errno) { return .success(try read(at: directory, name: name)) } catch { return .failure(error) }
    }
    return try result.get()
  }

  /// The attributes of an open file.
  package static func read(of descriptor: Int32) throws(Errno) -> FileAttributes {
    try attributes(try status(of: descriptor))
  }

  /// The attributes of an open file, and how many bytes its blocks take: fewer than its size when it has holes.
  package static func readAllocated(
    of descriptor: Int32
  ) throws(Errno) -> (attributes: FileAttributes, allocatedBytes: UInt64) {
    try attributesAndBlocks(try status(of: descriptor))
  }

  /// The same of a name in a directory; a symbolic link is not followed.
  package static func readAllocated(
    at directory: Int32, name: UnsafePointer<CChar>
  ) throws(Errno) -> (attributes: FileAttributes, allocatedBytes: UInt64) {
    try attributesAndBlocks(try status(at: directory, name, linkFlags))
  }

  @inline(__always)
  private static func attributesAndBlocks(
    _ status: statx
  ) throws(Errno) -> (attributes: FileAttributes, allocatedBytes: UInt64) {
    (try attributes(status), status.stx_blocks.multipliedReportingOverflow(by: 512).partialValue)
  }

  private static let linkFlags = AT_SYMLINK_NOFOLLOW | Int32(VAULT_AT_NO_AUTOMOUNT)

  private static func status(of descriptor: Int32) throws(Errno) -> statx {
    // An empty name with its NUL, without an allocation.
    var empty: CChar = 0
    return try status(at: descriptor, &empty, Int32(VAULT_AT_EMPTY_PATH))
  }

  @inline(__always)
  private static func status(
    at directory: Int32, _ name: UnsafePointer<CChar>, _ flags: Int32
  ) throws(Errno) -> statx {
    var status = statx()
    let result = retryingOnInterrupt { vault_statx(directory, name, flags, UInt32(STATX_BASIC_STATS), &status) }
    guard result == 0 else { throw Errno(rawValue: currentErrorNumber()) }
    return status
  }

  /// The inode flags that `statx` tells under the same numbers; the others take an open file.
  private static let statusFlags: InodeFlags = [.compressed, .immutable, .appendOnly, .noDump]

  @inline(__always)
  private static func attributes(_ status: statx) throws(Errno) -> FileAttributes {
    let mode = UInt32(status.stx_mode)
    guard let type = FileType(systemMode: mode), status.stx_size <= UInt64(Int64.max) else { throw .outOfRange }
    let hasSize = type == .regular || type == .symbolicLink
    let isDevice = type == .characterDevice || type == .blockDevice
    return FileAttributes(
      type: type, mode: mode & 0o7777, owner: status.stx_uid, group: status.stx_gid,
      device: vault_device_make(status.stx_dev_major, status.stx_dev_minor), inode: status.stx_ino,
      linkCount: status.stx_nlink, size: hasSize ? status.stx_size : 0, modified: FileTime(status.stx_mtime),
      changed: FileTime(status.stx_ctime), accessed: FileTime(status.stx_atime),
      specialDevice: isDevice ? vault_device_make(status.stx_rdev_major, status.stx_rdev_minor) : 0,
      inodeFlags: InodeFlags(rawValue: UInt32(truncatingIfNeeded: status.stx_attributes)).intersection(statusFlags))
  }
}

extension FileType {
  /// The type bits of `st_mode`; nil for types that Linux does not have.
  @inline(__always)
  package init?(systemMode mode: UInt32) {
    switch mode & 0o170000 {
    case 0o100000: self = .regular
    case 0o040000: self = .directory
    case 0o120000: self = .symbolicLink
    case 0o010000: self = .fifo
    case 0o140000: self = .socket
    case 0o020000: self = .characterDevice
    case 0o060000: self = .blockDevice
    default: return nil
    }
  }

  /// The type bits for `st_mode`.
  package var systemMode: UInt32 {
    switch self {
    case .regular: 0o100000
    case .directory: 0o040000
    case .symbolicLink: 0o120000
    case .fifo: 0o010000
    case .socket: 0o140000
    case .characterDevice: 0o020000
    case .blockDevice: 0o060000
    }
  }
}

extension FileTime {
  /// A damaged file system may hold nanoseconds beyond the second: they are cut to the last one.
  @inline(__always)
  init(_ time: statx_timestamp) { self.init(seconds: time.tv_sec, nanoseconds: min(time.tv_nsec, 999_999_999)) }
}
