import CLinux
import SystemPackage
import VaultModel

/// Files that are made without a name and get one when they are whole: whatever ends the process before, nothing is left of them.
package enum UnnamedFiles {
  /// File systems on which `write` fails when there is no room, and never `close`, which comes after the name.
  private static let fileSystems: Set<UInt32> = [
    0xef53,  // ext2, ext3, ext4
    0x5846_5342,  // XFS
    0x9123_683e,  // Btrfs
    0x0102_1994,  // tmpfs
  ]

  /// Whether this process can make such files on the file system of a directory, and name them: that depends on the kernel,
  /// the file system and privileges, and is tried out with a name that does not stay.
  package static func canBeMade(in directory: Int32, trying name: ByteString) -> Bool {
    var status = statfs()
    guard fstatfs(directory, &status) == 0, fileSystems.contains(UInt32(truncatingIfNeeded: status.f_type)) else {
      return false
    }
    do throws(Errno) {
      let file = try make(in: directory, mode: 0o600)
      try giveName(name, in: directory, to: file.rawValue)
      try DirectoryNames.remove(at: directory, name)
      return true
    } catch { return false }
  }

  /// Makes a file to be read and written on a directory's file system; it goes when it is closed before it has a name. The
  /// corresponding C function is `openat` with O_TMPFILE.
  package static func make(in directory: Int32, mode: UInt32) throws(Errno) -> Descriptor {
    let number = retryingOnInterrupt { vault_open_unnamed(directory, mode) }
    guard number >= 0 else { throw Errno(rawValue: currentErrorNumber()) }
    return Descriptor(owning: number)
  }

  /// Gives an open file a name. The corresponding C function is `linkat`.
  ///
  /// - Throws: `.fileExists` when something has the name; `.noSuchFileOrDirectory` from kernels before 6.10 when the process
  ///   may not read every directory.
  package static func giveName(_ name: ByteString, in directory: Int32, to file: Int32) throws(Errno) {
    try check(name.withCString { linkat(file, "", directory, $0, Int32(VAULT_AT_EMPTY_PATH)) })
  }
}
