import CLinux
import Glibc
import SystemPackage
import VaultModel

/// An open directory that holds volume files: names are looked up relative to it, so that renaming its path does no harm.
package struct VolumeDirectory: ~Copyable, Sendable {
  private let descriptor: Descriptor

  /// Opens an existing directory.
  package init(path: ByteString) throws(SystemError) {
    descriptor = try Descriptor.open(path, [.readOnly, .directory])
  }

  /// The names of everything inside but `.` and `..`, in no order; names that are not UTF-8 are no volume's and left out.
  package func names() throws(Errno) -> [String] {
    let copy = try Self.open(at: descriptor.rawValue, ".", [.readOnly, .directory])
    guard let stream = fdopendir(copy) else {
      let errno = Errno(rawValue: currentErrorNumber())
      _ = Glibc.close(copy)
      throw errno
    }
    defer { closedir(stream) }
    var names: [String] = []
    while true {
      Glibc.errno = 0
      guard let entry = readdir(stream) else {
        guard currentErrorNumber() == 0 else { throw Errno(rawValue: currentErrorNumber()) }
        return names
      }
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        String(validating: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if let name, name != ".", name != ".." { names.append(name) }
    }
  }

  /// Makes a new file, readable by its owner only, for reading and writing. The corresponding C function is `openat`.
  ///
  /// - Durability: the name is not on stable storage until `synchronize()` returned.
  package func create(_ name: String) throws(Errno) -> Descriptor {
    Descriptor(
      owning: try Self.open(at: descriptor.rawValue, name, [.readWrite, .create, .exclusive, .noFollow], 0o600))
  }

  /// Opens a file inside; a symbolic link is refused.
  package func open(_ name: String, forWriting: Bool) throws(Errno) -> Descriptor {
    let flags: OpenFlags = [forWriting ? .readWrite : .readOnly, .noFollow]
    return Descriptor(owning: try Self.open(at: descriptor.rawValue, name, flags))
  }

  /// A way past the page cache into a file inside that was opened for writing; nil where there is none.
  package func directWriting(_ name: String, of file: borrowing Descriptor) -> DirectWriting? {
    DirectWriting(at: descriptor.rawValue, name: name, of: file)
  }

  /// Removes a file's name. The corresponding C function is `unlinkat`.
  package func remove(_ name: String) throws(Errno) {
    guard unlinkat(descriptor.rawValue, name, 0) == 0 else { throw Errno(rawValue: currentErrorNumber()) }
  }

  /// Puts the names inside on stable storage.
  ///
  /// File systems that cannot synchronise a directory (some network and FUSE ones) say EINVAL: there is nothing to wait for.
  package func synchronize() throws(Errno) {
    do { try descriptor.synchronize() } catch { if error != .invalidArgument { throw error } }
  }

  private static func open(
    at directory: Int32, _ name: String, _ flags: OpenFlags, _ mode: UInt32 = 0
  ) throws(Errno) -> Int32 {
    let number = retryingOnInterrupt { vault_openat(directory, name, flags.rawValue | O_CLOEXEC, mode) }
    guard number >= 0 else { throw Errno(rawValue: currentErrorNumber()) }
    return number
  }
}

extension Descriptor {
  /// Asks the system to begin writing a range to the medium; it does not wait and nothing is promised.
  package func beginWriteback(from offset: UInt64, byteCount: UInt64) {
    // Giving up cached pages makes Linux begin to write the dirty ones; those under writeback stay cached.
    advise(POSIX_FADV_DONTNEED, offset, byteCount)
  }

  /// Asks the system to begin reading a range into its cache; it does not wait and nothing is promised.
  package func beginReading(from offset: UInt64, byteCount: UInt64) {
    // Of one call Linux does no more than the medium's read-ahead, which is 128 KiB unless somebody sets it.
    let part: UInt64 = 128 << 10
    for start in stride(from: offset, to: offset + byteCount, by: UInt64.Stride(part)) {
      advise(POSIX_FADV_WILLNEED, start, min(part, offset + byteCount - start))
    }
  }

  /// Asks the system to forget its clean cached pages of the file, so that the next read shows what the medium holds.
  package func dropCachedPages() { advise(POSIX_FADV_DONTNEED, 0, 0) }

  private func advise(_ advice: Int32, _ offset: UInt64, _ byteCount: UInt64) {
    _ = posix_fadvise(rawValue, Int(clamping: offset), Int(clamping: byteCount), advice)
  }
}
