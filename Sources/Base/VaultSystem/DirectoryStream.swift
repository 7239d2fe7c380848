import CLinux
import struct SystemPackage.Errno

/// Reads the names of an open directory in large batches.
///
/// One buffer serves any number of directories, one after the other; it allocates nothing per name.
package struct DirectoryStream: ~Copyable {
  /// A name as the kernel lent it, with the kind of file it says it is.
  package struct Name {
    /// Without the NUL that follows; valid until the stream moves on. At least eight bytes from its start can be read.
    package let bytes: UnsafeRawBufferPointer
    package let type: DirectoryEntryType
  }

  private static let capacity = 256 * 1024
  /// `d_ino`, `d_off`, `d_reclen` and `d_type` before the name.
  private static let headerByteCount = 19

  private let buffer: UnsafeMutableRawPointer

  package init() {
    // Reading eight bytes of a short name may go past the last record.
    buffer = .allocate(byteCount: Self.capacity + 16, alignment: 16)
  }

  deinit { buffer.deallocate() }

  /// Calls `body` for each name but `.` and `..`, in the kernel's order. The corresponding C function is `getdents64`.
  ///
  /// - Throws: the error of a read that failed; names before it were delivered. `body` returns false to stop.
  package mutating func forEachName(in descriptor: Int32, _ body: (Name) -> Bool) throws(Errno) {
    while true {
      let count = retryingOnInterrupt { vault_getdents64(descriptor, buffer, Self.capacity) }
      guard count >= 0 else { throw Errno(rawValue: currentErrorNumber()) }
      if count == 0 { return }
      var offset = 0
      while offset + Self.headerByteCount < count {
        let record = buffer + offset
        let length = Int(record.loadUnaligned(fromByteOffset: 16, as: UInt16.self))
        guard length > Self.headerByteCount, offset + length <= count else { throw .ioError }
        let name = record + Self.headerByteCount
        let nameLength = strnlen(name.assumingMemoryBound(to: CChar.self), length - Self.headerByteCount)
        offset += length
        if Self.isSelfOrParent(name, nameLength) { continue }
        let type = DirectoryEntryType(rawValue: record.load(fromByteOffset: 18, as: UInt8.self))
        guard body(Name(bytes: UnsafeRawBufferPointer(start: name, count: nameLength), type: type)) else { return }
      }
    }
  }

  /// Whether a directory has no names.
  package mutating func isEmpty(_ descriptor: Int32) throws(Errno) -> Bool {
    var isEmpty = true
    try forEachName(in: descriptor) { _ in
      isEmpty = false
      return false
    }
    return isEmpty
  }

  @inline(__always)
  private static func isSelfOrParent(_ name: UnsafeRawPointer, _ count: Int) -> Bool {
    let dot = UInt8(ascii: ".")
    guard count > 0 else { return true }
    guard name.load(as: UInt8.self) == dot else { return false }
    return count == 1 || (count == 2 && name.load(fromByteOffset: 1, as: UInt8.self) == dot)
  }
}

/// The kind of file that a directory says a name is, as far as it knows.
package struct DirectoryEntryType: RawRepresentable, Equatable, Sendable {
  package let rawValue: UInt8
  @inline(__always)
  package init(rawValue: UInt8) { self.rawValue = rawValue }

  /// Whether the file system says what it is.
  package var isKnown: Bool { rawValue != UInt8(DT_UNKNOWN) }

  /// Whether the name may be a directory: it says so, or the file system does not say.
  package var mayBeDirectory: Bool { rawValue == UInt8(DT_DIR) || rawValue == UInt8(DT_UNKNOWN) }
}
