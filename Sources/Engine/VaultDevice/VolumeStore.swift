import SystemPackage

/// A call on a store or a file that failed.
package struct StoreError: Error, Hashable, Sendable {
  package let call: String
  package let errno: Errno

  package init(_ call: String, _ errno: Errno) {
    self.call = call
    self.errno = errno
  }
}

/// Where volume files are: the seam below a device, where tests put faults.
///
/// All calls block the calling thread and may come from several threads.
package protocol VolumeStore: AnyObject, Sendable {
  /// The names of everything in the store, in no order.
  func names() throws(StoreError) -> [String]

  /// Makes an empty file for reading and writing, for its owner only.
  ///
  /// - Throws: `fileExists` when the name is taken.
  /// - Durability: the name is on stable storage when it returns; when it throws, the name is not there.
  func create(_ name: String) throws(StoreError) -> any VolumeFile

  /// Opens a file for reading, or for reading and writing.
  ///
  /// - Throws: `noSuchFileOrDirectory` when there is none.
  func open(_ name: String, forAppending: Bool) throws(StoreError) -> any VolumeFile

  /// Removes a file.
  ///
  /// - Durability: the removal is on stable storage when it returns.
  func remove(_ name: String) throws(StoreError)
}

/// An open volume file.
///
/// Reading and writing may come from several threads; `close()` comes once, when no other call is running, and whoever
/// wrote calls it. Dropping the last reference closes too, and ignores the result.
package protocol VolumeFile: AnyObject, Sendable {
  /// The file's length in bytes.
  func size() throws(StoreError) -> UInt64

  /// Reads at an offset.
  ///
  /// - Returns: how many bytes came, 0 at or behind the end.
  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(StoreError) -> Int

  /// Writes at an offset.
  ///
  /// - Returns: how many bytes were taken, possibly fewer than given.
  func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(StoreError) -> Int

  /// Begins to bring a range to the medium without waiting; nothing is promised.
  func beginWriteback(from offset: UInt64, byteCount: UInt64)

  /// Begins to read a range that is going to be asked for, if the store can; nothing is promised.
  func beginReading(from offset: UInt64, byteCount: UInt64)

  /// Forgets what memory holds of synchronised data, so that the next read shows what the medium holds, if possible.
  func dropCache()

  /// Puts all that was written on stable storage.
  ///
  /// - Durability: after an error, what was written since the last success may be lost and stay lost, whatever later calls say.
  func synchronize() throws(StoreError)

  /// Cuts the file.
  func truncate(to size: UInt64) throws(StoreError)

  func close() throws(StoreError)
}

extension VolumeFile {
  /// Where reading ahead brings nothing.
  package func beginReading(from offset: UInt64, byteCount: UInt64) {}

  /// Writes everything.
  func writeAll(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(StoreError) {
    var done = 0
    while done < bytes.count {
      let count = try write(UnsafeRawBufferPointer(rebasing: bytes[done...]), at: offset + UInt64(done))
      guard count > 0 else { throw StoreError("pwrite", .noSpace) }
      done += count
    }
  }

  /// Reads until the buffer is full or the file ends.
  ///
  /// - Returns: how many bytes came.
  func readAll(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(StoreError) -> Int {
    var done = 0
    while done < buffer.count {
      let count = try read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[done...]), at: offset + UInt64(done))
      guard count > 0 else { break }
      done += count
    }
    return done
  }
}
