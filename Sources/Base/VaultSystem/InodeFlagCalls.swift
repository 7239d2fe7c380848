import CLinux
import struct SystemPackage.Errno
import VaultModel

extension InodeFlags {
  /// The flags of an open regular file or directory. The corresponding system call is `ioctl` with `FS_IOC_GETFLAGS`.
  ///
  /// - Throws: what `ioctl` says; `.inappropriateIOCTLForDevice` or `.notSupported` where the file system has none.
  package static func read(of descriptor: Int32) throws(Errno) -> InodeFlags {
    InodeFlags(rawValue: try rawFlags(of: descriptor)).intersection(.settable)
  }

  /// Sets flags of an open file beside those that it has; none is cleared. The corresponding system call is `ioctl` with
  /// `FS_IOC_SETFLAGS`.
  package static func add(_ flags: InodeFlags, to descriptor: Int32) throws(Errno) {
    let current = try rawFlags(of: descriptor)
    var wanted = current | flags.rawValue
    guard wanted != current else { return }
    try check(vault_inode_flags_set(descriptor, &wanted))
  }

  private static func rawFlags(of descriptor: Int32) throws(Errno) -> UInt32 {
    var flags: UInt32 = 0
    try check(vault_inode_flags_get(descriptor, &flags))
    return flags
  }
}
