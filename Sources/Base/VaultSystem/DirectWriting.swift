import CLinux
import SystemPackage
import Synchronization

/// A second way into a file that is being written: past the page cache.
///
/// A copy into the page cache costs as much processor time as LZ4 takes for data that it cannot compress; the medium is
/// written either way before a commit is acknowledged. Direct writing is an offer: `write` takes what it can, and all else
/// goes the usual way, through the file's own descriptor, which also makes both durable.
package struct DirectWriting: ~Copyable, Sendable {
  /// What addresses, offsets and lengths must be multiples of; a medium with longer sectors refuses them.
  package static let alignment = 4096
  /// How much is written between two looks at who waits for whom.
  static let probedByteCount = 8 << 20
  /// One look may have met something rare; so many one after another did not.
  static let busyProbeLimit = 2

  /// File systems that write past the page cache what is appended to a file, in parallel with reading it.
  private static let fileSystems: Set<UInt32> = [
    0xef53,  // ext2, ext3, ext4
    0x5846_5342,  // XFS
  ]

  private let descriptor: Descriptor
  private let isOver = Atomic(false)
  /// What was written since the last look, when that look (or the first write) was, how long the writes took, and how many looks
  /// one after another found the thread waiting for the medium.
  private let probe = Mutex((byteCount: 0, began: 0 as UInt64, nanoseconds: 0 as UInt64, busyCount: 0))

  /// Opens it for a file of a directory.
  ///
  /// - Returns: nil where it is not to be had, or when the name is no longer that file's.
  init?(at directory: Int32, name: String, of file: borrowing Descriptor) {
    var status = statfs()
    guard fstatfs(file.rawValue, &status) == 0,
      Self.fileSystems.contains(UInt32(truncatingIfNeeded: status.f_type)),
      let opened = try? Descriptor.open(at: directory, name: name, [.writeOnly, .noFollow, .direct]),
      let found = try? FileStatus.read(of: opened.rawValue), let expected = try? FileStatus.read(of: file.rawValue),
      found.device == expected.device, found.inode == expected.inode
    else { return nil }
    descriptor = opened
  }

  /// Writes at an offset. The corresponding C function is `pwrite`.
  ///
  /// - Returns: how many bytes were taken; nil when these are to be written the usual way.
  package func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64, clock: some VaultClock) throws(Errno) -> Int? {
    guard !isOver.load(ordering: .relaxed), bytes.count > 0,
      (UInt64(bitPattern: offset) | UInt64(bytes.count) | UInt64(UInt(bitPattern: bytes.baseAddress)))
        .isMultiple(of: UInt64(Self.alignment))
    else { return nil }
    let begin = clock.monotonicNanoseconds()
    do throws(Errno) {
      let count = try descriptor.write(bytes, at: offset)
      note(count, begin, clock.monotonicNanoseconds())
      return count
    } catch {
      // The file system, or the medium below it, does not want these after all.
      guard error == .invalidArgument || error == .notSupported else { throw error }
      isOver.store(true, ordering: .relaxed)
      return nil
    }
  }

  /// Gives up direct writing when the thread mostly waits for the medium, which takes one write at a time, and behind a sync none:
  /// that is then what everybody else waits for, and the queue of writes that the kernel keeps is worth the copy.
  private func note(_ byteCount: Int, _ begin: UInt64, _ end: UInt64) {
    probe.withLock { probe in
      if probe.began == 0 { probe.began = begin }
      probe.byteCount += byteCount
      probe.nanoseconds &+= end &- begin
      guard probe.byteCount >= Self.probedByteCount else { return }
      // Half of the time.
      let isBusy = probe.nanoseconds >= (end &- probe.began) / 2
      probe = (0, end, 0, isBusy ? probe.busyCount + 1 : 0)
      if probe.busyCount == Self.busyProbeLimit { isOver.store(true, ordering: .relaxed) }
    }
  }

  /// Closes and reports the failure of delayed writes.
  package consuming func close() throws(SystemError) {
    try descriptor.close()
  }
}
