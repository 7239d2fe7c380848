import CLinux
import struct SystemPackage.Errno
import VaultModel

extension Descriptor {
  /// Opens a relative path without leaving `directory` and without following any symbolic link.
  ///
  /// The corresponding system call is `openat2` with `RESOLVE_BENEATH` and `RESOLVE_NO_SYMLINKS`.
  /// - Throws: `.noFunction` on kernels before 5.6; `.tooManySymbolicLinkLevels` for a link, `.improperLink` for `..` out of it.
  package static func openBeneath(
    _ directory: Int32, _ path: ByteString, _ flags: OpenFlags
  ) throws(Errno) -> Descriptor {
    var how = open_how()
    how.flags = UInt64(UInt32(bitPattern: flags.rawValue | O_CLOEXEC))
    how.resolve = UInt64(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS)
    let number = path.withCString { path in retryingOnInterrupt { vault_openat2(directory, path, &how) } }
    guard number >= 0 else { throw Errno(rawValue: currentErrorNumber()) }
    return Descriptor(owning: Int32(truncatingIfNeeded: number))
  }
}
