import CLinux
import SystemPackage
import VaultModel

/// The C library's `errno` of this thread.
func currentErrorNumber() -> Int32 { vault_errno() }

/// Calls again while a signal interrupts.
///
/// - Returns: the call's result, negative when it failed for another reason; `errno` is then set.
@inline(__always)
func retryingOnInterrupt<Result: FixedWidthInteger & SignedInteger>(_ call: () -> Result) -> Result {
  while true {
    let result = call()
    if result >= 0 || currentErrorNumber() != EINTR { return result }
  }
}

/// An owned file descriptor.
///
/// `deinit` closes and ignores the result: right for what was only read. Whoever wrote calls `close()`.
package struct Descriptor: ~Copyable, Sendable {
  /// The number, lent: it is valid as long as this value.
  package let rawValue: Int32

  /// Takes ownership of an open descriptor.
  package init(owning rawValue: Int32) { self.rawValue = rawValue }

  deinit { _ = Glibc_close(rawValue) }

  /// Closes and reports the failure of delayed writes. The corresponding C function is `close`.
  package consuming func close() throws(SystemError) {
    let number = rawValue
    discard self
    // Linux releases the descriptor even when close is interrupted: no retry.
    if Glibc_close(number) != 0, currentErrorNumber() != EINTR {
      throw SystemError.current("close", "descriptor \(number)")
    }
  }
}

private func Glibc_close(_ descriptor: Int32) -> Int32 { CLinux.close(descriptor) }

/// How a file is opened.
package struct OpenFlags: OptionSet, Sendable {
  package let rawValue: Int32
  package init(rawValue: Int32) { self.rawValue = rawValue }

  package static let readOnly = OpenFlags(rawValue: O_RDONLY)
  package static let writeOnly = OpenFlags(rawValue: O_WRONLY)
  package static let readWrite = OpenFlags(rawValue: O_RDWR)
  package static let create = OpenFlags(rawValue: O_CREAT)
  package static let exclusive = OpenFlags(rawValue: O_EXCL)
  package static let append = OpenFlags(rawValue: O_APPEND)
  package static let truncate = OpenFlags(rawValue: O_TRUNC)
  package static let directory = OpenFlags(rawValue: O_DIRECTORY)
  package static let noFollow = OpenFlags(rawValue: O_NOFOLLOW)
  /// Leaves the file's atime alone; only its owner or a privileged process may.
  package static let noAccessTime = OpenFlags(rawValue: Int32(VAULT_O_NOATIME))
  package static let nonBlocking = OpenFlags(rawValue: O_NONBLOCK)
  /// A handle on the name only: no reading, no permission needed.
  package static let pathOnly = OpenFlags(rawValue: Int32(VAULT_O_PATH))
  /// Between the caller's memory and the medium without the page cache; addresses, offsets and lengths must be aligned.
  package static let direct = OpenFlags(rawValue: Int32(VAULT_O_DIRECT))
}

extension Descriptor {
  /// The directory that relative names start from.
  package static let workingDirectory: Int32 = AT_FDCWD

  /// Opens a NUL-terminated name relative to a directory, close-on-exec. The corresponding C function is `openat`.
  ///
  /// Hot paths use this form: it allocates nothing when it succeeds.
  package static func open(
    at directory: Int32 = workingDirectory, name: UnsafePointer<CChar>, _ flags: OpenFlags, mode: UInt32 = 0
  ) throws(Errno) -> Descriptor {
    let number = retryingOnInterrupt { vault_openat(directory, name, flags.rawValue | O_CLOEXEC, mode) }
    guard number >= 0 else { throw Errno(rawValue: currentErrorNumber()) }
    return Descriptor(owning: number)
  }

  /// Opens a path, close-on-exec.
  package static func open(
    at directory: Int32 = workingDirectory, _ path: ByteString, _ flags: OpenFlags, mode: UInt32 = 0
  ) throws(SystemError) -> Descriptor {
    let result: Swift.Result<Int32, Errno> = path.withCString { name in
      let number = retryingOnInterrupt { vault_openat(directory, name, flags.rawValue | O_CLOEXEC, mode) }
      return number >= 0 ? .success(number) : .failure(Errno(rawValue: currentErrorNumber()))
    }
    switch result {
    case .success(let number): return Descriptor(owning: number)
    case .failure(let errno): throw SystemError(errno, call: "open", object: path.displayText)
    }
  }

  /// Reads at the file's position; fewer bytes than asked only at the end of a regular file. The corresponding C function is `read`.
  package func read(into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
    let count = retryingOnInterrupt { CLinux.read(rawValue, buffer.baseAddress, buffer.count) }
    guard count >= 0 else { throw Errno(rawValue: currentErrorNumber()) }
    return count
  }

  /// Reads at an offset; the position stays. The corresponding C function is `pread`.
  package func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(Errno) -> Int {
    let count = retryingOnInterrupt { CLinux.pread(rawValue, buffer.baseAddress, buffer.count, Int(offset)) }
    guard count >= 0 else { throw Errno(rawValue: currentErrorNumber()) }
    return count
  }

  /// Writes at an offset. The corresponding C function is `pwrite`.
  ///
  /// - Returns: how many bytes were taken, possibly fewer than given.
  package func write(_ buffer: UnsafeRawBufferPointer, at offset: Int64) throws(Errno) -> Int {
    let count = retryingOnInterrupt { CLinux.pwrite(rawValue, buffer.baseAddress, buffer.count, Int(offset)) }
    guard count >= 0 else { throw Errno(rawValue: currentErrorNumber()) }
    return count
  }

  /// Writes everything at an offset.
  package func writeAll(_ buffer: UnsafeRawBufferPointer, at offset: Int64) throws(Errno) {
    var done = 0
    while done < buffer.count {
      let rest = UnsafeRawBufferPointer(rebasing: buffer[done...])
      let count = try write(rest, at: offset + Int64(done))
      guard count > 0 else { throw .noSpace }
      done += count
    }
  }

  /// Writes everything at the file's position. The corresponding C function is `write`.
  package func writeAll(_ buffer: UnsafeRawBufferPointer) throws(Errno) {
    var done = 0
    while done < buffer.count {
      let rest = UnsafeRawBufferPointer(rebasing: buffer[done...])
      let count = retryingOnInterrupt { CLinux.write(rawValue, rest.baseAddress, rest.count) }
      guard count > 0 else { throw count < 0 ? Errno(rawValue: currentErrorNumber()) : .noSpace }
      done += count
    }
  }

  /// Puts the file's data, and the metadata needed to read it back, on stable storage. The corresponding C function is `fdatasync`.
  package func synchronizeData() throws(Errno) {
    guard retryingOnInterrupt({ fdatasync(rawValue) }) == 0 else { throw Errno(rawValue: currentErrorNumber()) }
  }

  /// Puts all that was written to the file's file system, by whomever, on stable storage. The corresponding C function is `syncfs`.
  ///
  /// - Throws: also for an earlier write that failed, of which nobody was told, where the kernel is 5.8 or newer.
  package func synchronizeFileSystem() throws(Errno) {
    guard retryingOnInterrupt({ vault_syncfs(rawValue) }) == 0 else { throw Errno(rawValue: currentErrorNumber()) }
  }

  /// Puts all that was written to any file system on stable storage; what fails is not told. The corresponding C function is `sync`.
  package static func synchronizeAllFileSystems() { sync() }

  /// Puts data and metadata, or a directory's entries, on stable storage. The corresponding C function is `fsync`.
  package func synchronize() throws(Errno) {
    guard retryingOnInterrupt({ fsync(rawValue) }) == 0 else { throw Errno(rawValue: currentErrorNumber()) }
  }

  /// Cuts or extends the file. The corresponding C function is `ftruncate`.
  package func truncate(to size: Int64) throws(Errno) {
    guard retryingOnInterrupt({ ftruncate(rawValue, Int(size)) }) == 0 else {
      throw Errno(rawValue: currentErrorNumber())
    }
  }

  /// Where the next data begins, at or behind an offset; nil when only a hole follows. The corresponding C function is `lseek`.
  package func nextData(from offset: Int64) throws(Errno) -> Int64? {
    let found = retryingOnInterrupt { CLinux.lseek(rawValue, Int(offset), Int32(VAULT_SEEK_DATA)) }
    if found >= 0 { return Int64(found) }
    let error = Errno(rawValue: currentErrorNumber())
    guard error == .noSuchAddressOrDevice else { throw error }
    return nil
  }

  /// Where the next hole begins, at or behind an offset inside the file; its end when none is left.
  package func nextHole(from offset: Int64) throws(Errno) -> Int64 {
    let found = retryingOnInterrupt { CLinux.lseek(rawValue, Int(offset), Int32(VAULT_SEEK_HOLE)) }
    guard found >= 0 else { throw Errno(rawValue: currentErrorNumber()) }
    return Int64(found)
  }

  /// The file's length in bytes.
  package func size() throws(Errno) -> Int64 {
    var status = CLinux.stat()
    guard fstat(rawValue, &status) == 0 else { throw Errno(rawValue: currentErrorNumber()) }
    return Int64(status.st_size)
  }
}

extension ByteString {
  /// The bytes with a NUL behind them, lent to `body`. A NUL inside cuts the name: callers refuse such names before.
  package func withCString<Result>(_ body: (UnsafePointer<CChar>) throws -> Result) rethrows -> Result {
    try withUnsafeTemporaryAllocation(of: CChar.self, capacity: bytes.count + 1) { buffer in
      for (index, byte) in bytes.enumerated() { buffer[index] = CChar(bitPattern: byte) }
      buffer[bytes.count] = 0
      guard let base = buffer.baseAddress else { return try body([0]) }
      return try body(base)
    }
  }
}
