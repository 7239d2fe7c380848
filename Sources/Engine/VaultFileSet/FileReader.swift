import struct SystemPackage.Errno
import VaultModel
import VaultSystem

/// Why a file could not be opened or read: what goes into a problem record.
package struct FileReadError: Error, Hashable, Sendable {
  package let phase: ProblemPhase
  /// 0 when no call failed: the name stands for something else than a regular file by now.
  package let errorNumber: Int32

  package init(phase: ProblemPhase, errorNumber: Int32) {
    self.phase = phase
    self.errorNumber = errorNumber
  }
}

/// A regular file that is being read for a backup. It allocates nothing when all goes well.
package struct FileReader: ~Copyable {
  private let descriptor: Descriptor
  /// The attributes when it was examined; before, those with which it was walked.
  package private(set) var attributes: FileAttributes
  /// Whether it had holes when it was examined, as far as its file system tells.
  package private(set) var hasHoles = false
  /// Whether it was looked at since it was opened.
  package private(set) var isExamined = false

  /// Opens and examines a regular file of a walked directory; its access time stays where that is allowed.
  ///
  /// - Throws: phase `.open` with the system's error (ENOENT: it vanished), `.changed` when it is no regular file any more.
  package static func examined(
    in directory: WalkDirectory, name: UnsafePointer<CChar>
  ) throws(FileReadError) -> FileReader {
    var reader = try FileReader(in: directory, name: name, walked: FileAttributes(type: .regular, mode: 0))
    try reader.examine()
    return reader
  }

  /// Opens a file and takes it for what it was when it was walked: what is read of it counts once `isAsWalked` says so, or else
  /// it is examined and read again. A device that has taken its place is read from; fifos and terminals are not, by offset.
  ///
  /// - Throws: phase `.open` with the system's error.
  package init(
    in directory: WalkDirectory, name: UnsafePointer<CChar>, walked: FileAttributes
  ) throws(FileReadError) {
    descriptor = try Self.open(in: directory, name)
    attributes = walked
  }

  /// Looks at what was opened.
  ///
  /// - Throws: phase `.open` with the system's error, `.changed` when it is no regular file any more.
  package mutating func examine() throws(FileReadError) {
    let status = try Self.status(of: descriptor)
    guard status.attributes.type == .regular else { throw FileReadError(phase: .changed, errorNumber: 0) }
    attributes = status.attributes
    hasHoles = Self.hasHoles(descriptor, status)
    readInodeFlags()
    isExamined = true
  }

  /// Whether it is the file that was walked, unchanged, and has no holes: one look behind the reading is as good as one before and
  /// one behind.
  ///
  /// - Throws: phase `.open` with the system's error.
  package mutating func isAsWalked() throws(FileReadError) -> Bool {
    let status = try Self.status(of: descriptor)
    guard status.attributes.type == .regular, status.attributes.device == attributes.device,
      status.attributes.inode == attributes.inode, !Self.isChanged(before: attributes, after: status.attributes),
      !Self.hasHoles(descriptor, status)
    else { return false }
    // The reading may have moved the access time.
    let accessed = attributes.accessed
    attributes = status.attributes
    attributes.accessed = accessed
    readInodeFlags()
    return true
  }

  /// Where the file system has no flags, what the status tells is all.
  private mutating func readInodeFlags() {
    do throws(Errno) { attributes.inodeFlags = try InodeFlags.read(of: descriptor.rawValue) } catch {}
  }

  /// Reads the file's extended attributes; see `ExtendedAttributeReader.read`.
  package func readExtendedAttributes(_ reader: inout ExtendedAttributeReader) -> Int32 {
    reader.read(of: descriptor.rawValue)
  }

  private static func status(
    of descriptor: borrowing Descriptor
  ) throws(FileReadError) -> (attributes: FileAttributes, allocatedBytes: UInt64) {
    do throws(Errno) { return try FileStatus.readAllocated(of: descriptor.rawValue) } catch {
      throw FileReadError(phase: .open, errorNumber: error.rawValue)
    }
  }

  /// A file whose blocks hold all of it costs no further call; a file system that cannot tell has no holes.
  private static func hasHoles(
    _ descriptor: borrowing Descriptor, _ status: (attributes: FileAttributes, allocatedBytes: UInt64)
  ) -> Bool {
    guard status.allocatedBytes < status.attributes.size else { return false }
    do throws(Errno) { return try descriptor.nextHole(from: 0) < status.attributes.size } catch { return false }
  }

  private static func open(
    in directory: WalkDirectory, _ name: UnsafePointer<CChar>
  ) throws(FileReadError) -> Descriptor {
    do throws(Errno) { return try open(directory.descriptor, name) } catch {
      switch error {
      // A symbolic link, a socket, a device without a driver.
      case .tooManySymbolicLinkLevels, .noSuchAddressOrDevice, .operationNotSupportedByDevice:
        throw FileReadError(phase: .changed, errorNumber: 0)
      default: throw FileReadError(phase: .open, errorNumber: error.rawValue)
      }
    }
  }

  /// Without O_NONBLOCK a fifo that took the file's place would wait for a writer.
  ///
  /// Made once: a list of flags that is written where it is used is an array for each file.
  private static let flags: OpenFlags = [.readOnly, .noFollow, .nonBlocking, .noAccessTime]

  private static func open(_ directory: Int32, _ name: UnsafePointer<CChar>) throws(Errno) -> Descriptor {
    var flags = Self.flags
    while true {
      do throws(Errno) { return try Descriptor.open(at: directory, name: name, flags) } catch {
        if error == .notPermitted, flags.contains(.noAccessTime) {
          flags.remove(.noAccessTime)
        } else if error == .wouldBlock, flags.contains(.nonBlocking),
          try FileStatus.read(at: directory, name: name).type == .regular
        {
          // Somebody holds a lease: the kernel asks for it back while this waits.
          flags.remove(.nonBlocking)
        } else {
          throw error
        }
      }
    }
  }

  /// Reads at an offset; fewer bytes than asked only at the end.
  ///
  /// - Throws: phase `.read`.
  package func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(FileReadError) -> Int {
    do throws(Errno) {
      guard let offset = Int64(exactly: offset) else { throw .fileTooLarge }
      var done = 0
      while done < buffer.count {
        let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
        let count = try descriptor.read(into: rest, at: offset &+ Int64(done))
        if count == 0 { break }
        done += count
      }
      return done
    } catch { throw FileReadError(phase: .read, errorNumber: error.rawValue) }
  }

  /// The next data at or behind an offset, up to a hole or the size that the file had when it was opened; nil when there is
  /// none.
  ///
  /// - Throws: phase `.read`.
  func data(from offset: UInt64) throws(FileReadError) -> Range<UInt64>? {
    do throws(Errno) {
      guard let offset = Int64(exactly: offset) else { throw .fileTooLarge }
      guard let found = try descriptor.nextData(from: offset) else { return nil }
      let start = UInt64(max(found, offset))
      guard start < attributes.size else { return nil }
      let end = min(UInt64(try descriptor.nextHole(from: Int64(start))), attributes.size)
      // A hole that begins where the data does is a file system's mistake: nothing is left out then.
      return start..<(end > start ? end : attributes.size)
    } catch {
      // It was cut meanwhile.
      if error == .noSuchAddressOrDevice { return nil }
      throw FileReadError(phase: .read, errorNumber: error.rawValue)
    }
  }

  /// The attributes now: differing size, mtime or ctime mean that the file changed while it was read.
  ///
  /// - Throws: phase `.read`.
  package func finalAttributes() throws(FileReadError) -> FileAttributes {
    do throws(Errno) { return try FileStatus.read(of: descriptor.rawValue) } catch {
      throw FileReadError(phase: .read, errorNumber: error.rawValue)
    }
  }

  /// Whether the bytes read may not be all that the attributes stand for.
  package static func isChanged(before: FileAttributes, after: FileAttributes) -> Bool {
    before.size != after.size || before.modified != after.modified || before.changed != after.changed
  }

  /// Whether a change after reading might leave the same ctime: the ctime lies within the file system's granularity of the
  /// reading, or in the future.
  ///
  /// `readAt` is a time before the first byte was read. A ctime of whole seconds is taken for that of a coarse file system.
  package static func isRacy(changed: FileTime, readAt: Timestamp, granularityNanoseconds: Int64) -> Bool {
    let coarse = changed.nanoseconds == 0 ? TimestampGranularity.coarseNanoseconds : 0
    let limit = readAt.nanoseconds.subtractingReportingOverflow(max(granularityNanoseconds, coarse))
    guard !limit.overflow else { return true }
    let nanosecondsPerSecond: Int64 = 1_000_000_000
    let remainder = limit.partialValue % nanosecondsPerSecond
    let isBorrowing = remainder < 0
    let seconds = limit.partialValue / nanosecondsPerSecond - (isBorrowing ? 1 : 0)
    let nanoseconds = UInt32(isBorrowing ? remainder + nanosecondsPerSecond : remainder)
    return changed >= FileTime(seconds: seconds, nanoseconds: nanoseconds)
  }
}
