import CLinux
import struct SystemPackage.Errno
import VaultModel

/// Something that has extended attributes: an open file, or a name in an open directory that is not followed or opened.
package enum AttributedObject {
  case descriptor(Int32)
  /// The path that `withName` lends.
  case path(UnsafePointer<CChar>)

  /// Lends a name in a directory as an object; a symbolic link stands for itself, and nothing is opened.
  ///
  /// It goes through /proc, since Linux before 6.13 has no such calls relative to a directory.
  package static func withName<Result>(
    at directory: Int32, _ name: UnsafeRawBufferPointer, _ body: (AttributedObject) -> Result
  ) -> Result {
    let prefix = Array("/proc/self/fd/\(directory)/".utf8)
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: prefix.count + name.count + 1) { path in
      for (index, byte) in prefix.enumerated() { path[index] = CChar(bitPattern: byte) }
      for (index, byte) in name.enumerated() { path[prefix.count + index] = CChar(bitPattern: byte) }
      path[prefix.count + name.count] = 0
      guard let base = path.baseAddress else { return withUnsafePointer(to: 0) { body(.path($0)) } }
      return body(.path(base))
    }
  }
}

/// Reading and setting extended attributes. Names are NUL-terminated.
extension AttributedObject {
  /// Stores the names, each with its NUL. The corresponding C functions are `flistxattr` and `llistxattr`.
  ///
  /// - Returns: how many bytes were stored.
  package func listNames(into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
    let target = buffer.baseAddress?.assumingMemoryBound(to: CChar.self)
    return try Self.counted(
      retryingOnInterrupt {
        switch self {
        case .descriptor(let descriptor): flistxattr(descriptor, target, buffer.count)
        case .path(let path): llistxattr(path, target, buffer.count)
        }
      })
  }

  /// Stores a value. The corresponding C functions are `fgetxattr` and `lgetxattr`.
  ///
  /// - Returns: how many bytes were stored.
  package func read(
    _ name: UnsafePointer<CChar>, into buffer: UnsafeMutableRawBufferPointer
  ) throws(Errno) -> Int {
    try Self.counted(
      retryingOnInterrupt {
        switch self {
        case .descriptor(let descriptor): fgetxattr(descriptor, name, buffer.baseAddress, buffer.count)
        case .path(let path): lgetxattr(path, name, buffer.baseAddress, buffer.count)
        }
      })
  }

  /// Sets a value, new or in place of one. The corresponding C functions are `fsetxattr` and `lsetxattr`.
  package func set(_ name: UnsafePointer<CChar>, _ value: UnsafeRawBufferPointer) throws(Errno) {
    try check(
      retryingOnInterrupt {
        switch self {
        case .descriptor(let descriptor): fsetxattr(descriptor, name, value.baseAddress, value.count, 0)
        case .path(let path): lsetxattr(path, name, value.baseAddress, value.count, 0)
        }
      })
  }

  /// Removes an attribute. The corresponding C functions are `fremovexattr` and `lremovexattr`.
  package func remove(_ name: UnsafePointer<CChar>) throws(Errno) {
    try check(
      retryingOnInterrupt {
        switch self {
        case .descriptor(let descriptor): fremovexattr(descriptor, name)
        case .path(let path): lremovexattr(path, name)
        }
      })
  }

  private static func counted(_ result: Int) throws(Errno) -> Int {
    guard result >= 0 else { throw Errno(rawValue: currentErrorNumber()) }
    return result
  }
}
