import CLinux
import Glibc
import struct SystemPackage.Errno
import VaultModel

/// What changes the owner, the mode and the times of an open file. Setting the owner clears setuid: the mode comes after.
package enum OpenFile {
  /// The corresponding C function is `fchown`.
  package static func setOwner(_ descriptor: Int32, owner: UInt32, group: UInt32) throws(Errno) {
    try check(fchown(descriptor, owner, group))
  }

  /// The corresponding C function is `fchmod`.
  package static func setMode(_ descriptor: Int32, _ mode: UInt32) throws(Errno) {
    try check(fchmod(descriptor, mode))
  }

  /// The corresponding C function is `futimens`.
  package static func setTimes(_ descriptor: Int32, accessed: FileTime, modified: FileTime) throws(Errno) {
    try check(withTimes(accessed, modified) { futimens(descriptor, $0) })
  }

  /// Makes the file end at `size`; what was not written before is a hole. The corresponding C function is `ftruncate`.
  package static func setSize(_ descriptor: Int32, _ size: UInt64) throws(Errno) {
    guard let size = Int(exactly: size) else { throw .fileTooLarge }
    try check(Int32(retryingOnInterrupt { ftruncate(descriptor, size) }))
  }
}

/// What asks about and changes the owner, the mode and the times of a name in a directory, without following a symbolic link.
package enum NamedFile {
  /// Whether this thread may make and find names in a directory. The corresponding C function is `faccessat`.
  package static func mayWriteInto(at directory: Int32, _ name: ByteString) -> Bool {
    name.withCString { faccessat(directory, $0, W_OK | X_OK, AT_EACCESS) } == 0
  }

  /// A group or owner of all ones stays as it is. The corresponding C function is `fchownat`.
  package static func setOwner(at directory: Int32, _ name: ByteString, owner: UInt32, group: UInt32) throws(Errno) {
    try check(name.withCString { fchownat(directory, $0, owner, group, AT_SYMLINK_NOFOLLOW) })
  }

  /// Not for symbolic links, which have no mode. The corresponding C function is `fchmodat`.
  package static func setMode(at directory: Int32, _ name: ByteString, _ mode: UInt32) throws(Errno) {
    try check(name.withCString { fchmodat(directory, $0, mode, AT_SYMLINK_NOFOLLOW) })
  }

  /// The corresponding C function is `utimensat`.
  package static func setTimes(
    at directory: Int32, _ name: ByteString, accessed: FileTime, modified: FileTime
  ) throws(Errno) {
    try check(
      name.withCString { name in
        withTimes(accessed, modified) { utimensat(directory, name, $0, AT_SYMLINK_NOFOLLOW) }
      })
  }
}

private func withTimes(
  _ accessed: FileTime, _ modified: FileTime, _ body: (UnsafePointer<timespec>) -> Int32
) -> Int32 {
  withUnsafeTemporaryAllocation(of: timespec.self, capacity: 2) { times in
    times.initializeElement(at: 0, to: timespec(accessed))
    times.initializeElement(at: 1, to: timespec(modified))
    return times.baseAddress.map { body($0) } ?? -1
  }
}

extension timespec {
  fileprivate init(_ time: FileTime) {
    self.init(tv_sec: Int(time.seconds), tv_nsec: Int(time.nanoseconds))
  }
}
