import CLinux
import Glibc
import struct SystemPackage.Errno
import VaultModel

/// What changes the names in an open directory. No call follows a symbolic link in the name given.
package enum DirectoryNames {
  /// Makes a directory. The corresponding C function is `mkdirat`.
  package static func makeDirectory(at directory: Int32, _ name: ByteString, mode: UInt32) throws(Errno) {
    try check(name.withCString { mkdirat(directory, $0, mode) })
  }

  /// Makes a symbolic link. The corresponding C function is `symlinkat`.
  package static func makeSymbolicLink(at directory: Int32, _ name: ByteString, target: ByteString) throws(Errno) {
    try check(target.withCString { target in name.withCString { symlinkat(target, directory, $0) } })
  }

  /// Makes another name for a file that is not a directory. The corresponding C function is `linkat`.
  package static func makeLink(
    at directory: Int32, _ name: ByteString, from sourceDirectory: Int32, _ sourceName: ByteString
  ) throws(Errno) {
    try check(
      sourceName.withCString { source in name.withCString { linkat(sourceDirectory, source, directory, $0, 0) } })
  }

  /// Makes a fifo, a socket or a device node, readable by its owner only. The corresponding C function is `mknodat`.
  package static func makeNode(
    at directory: Int32, _ name: ByteString, type: FileType, specialDevice: UInt64
  ) throws(Errno) {
    try check(name.withCString { mknodat(directory, $0, type.systemMode | 0o600, dev_t(specialDevice)) })
  }

  /// Gives a name to what had another, in place of what had it. The corresponding C function is `renameat`.
  package static func rename(
    at directory: Int32, _ name: ByteString, to newName: ByteString
  ) throws(Errno) {
    try check(name.withCString { name in newName.withCString { renameat(directory, name, directory, $0) } })
  }

  /// Gives a name to what had another unless something has it already (EEXIST).
  ///
  /// - Throws: `.invalidArgument` or `.noFunction` where the file system cannot do it in one step.
  package static func renameWithoutReplacing(
    at directory: Int32, _ name: ByteString, to newName: ByteString
  ) throws(Errno) {
    let noReplace: UInt32 = 1
    try check(
      name.withCString { name in
        newName.withCString { vault_renameat2(directory, name, directory, $0, noReplace) }
      })
  }

  /// Removes the name of anything but a directory. The corresponding C function is `unlinkat`.
  package static func remove(at directory: Int32, _ name: ByteString) throws(Errno) {
    try check(name.withCString { unlinkat(directory, $0, 0) })
  }

  /// Removes an empty directory. The corresponding C function is `unlinkat`.
  package static func removeDirectory(at directory: Int32, _ name: ByteString) throws(Errno) {
    try check(name.withCString { unlinkat(directory, $0, AT_REMOVEDIR) })
  }

  /// Reads a symbolic link's target. The corresponding C function is `readlinkat`.
  ///
  /// - Returns: how many bytes were stored, without a NUL; a full buffer means that the target may be longer.
  package static func readLink(
    at directory: Int32, name: UnsafePointer<CChar>, into buffer: UnsafeMutableRawBufferPointer
  ) throws(Errno) -> Int {
    guard let base = buffer.baseAddress else { throw .invalidArgument }
    let count = readlinkat(directory, name, base.assumingMemoryBound(to: CChar.self), buffer.count)
    guard count >= 0 else { throw Errno(rawValue: currentErrorNumber()) }
    return count
  }
}

/// Throws what `errno` holds when a call returned anything but 0.
@inline(__always)
func check(_ result: Int32) throws(Errno) {
  guard result == 0 else { throw Errno(rawValue: currentErrorNumber()) }
}
