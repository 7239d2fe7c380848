import SystemPackage
import VaultModel
import VaultSystem

/// Volumes as plain files of one directory.
package final class FileVolumeStore: VolumeStore {
  private let directory: VolumeDirectory
  private let isBuffered: Bool

  /// Opens an existing directory.
  ///
  /// - Parameter isBuffered: whether all is written through the page cache, on file systems that could do without it, too.
  package init(directory: ByteString, isBuffered: Bool = false) throws(SystemError) {
    self.directory = try VolumeDirectory(path: directory)
    self.isBuffered = isBuffered
  }

  package func names() throws(StoreError) -> [String] {
    do throws(Errno) { return try directory.names() } catch { throw StoreError("readdir", error) }
  }

  package func create(_ name: String) throws(StoreError) -> any VolumeFile {
    let file: FileVolumeFile
    do throws(Errno) {
      let descriptor = try directory.create(name)
      let direct = isBuffered ? nil : directory.directWriting(name, of: descriptor)
      file = FileVolumeFile(descriptor, direct)
    } catch { throw StoreError("open", error) }
    do throws(Errno) {
      try directory.synchronize()
    } catch {
      // The name may or may not survive a power cut; without it the file is only garbage.
      do throws(Errno) { try directory.remove(name) } catch {}
      throw StoreError("fsync", error)
    }
    return file
  }

  package func open(_ name: String, forAppending: Bool) throws(StoreError) -> any VolumeFile {
    do throws(Errno) {
      let descriptor = try directory.open(name, forWriting: forAppending)
      let direct = forAppending && !isBuffered ? directory.directWriting(name, of: descriptor) : nil
      return FileVolumeFile(descriptor, direct)
    } catch { throw StoreError("open", error) }
  }

  package func remove(_ name: String) throws(StoreError) {
    do throws(Errno) { try directory.remove(name) } catch { throw StoreError("unlink", error) }
    do throws(Errno) { try directory.synchronize() } catch { throw StoreError("fsync", error) }
  }
}

/// An open plain file.
private final class FileVolumeFile: VolumeFile, @unchecked Sendable {
  // Set only by `init` and `close()`, and the seam lets nothing else run while `close()` does.
  private var descriptor: Descriptor?
  private var direct: DirectWriting?

  init(_ descriptor: consuming Descriptor, _ direct: consuming DirectWriting?) {
    self.descriptor = consume descriptor
    self.direct = consume direct
  }

  func size() throws(StoreError) -> UInt64 {
    do throws(Errno) {
      guard let size = try descriptor?.size() else { throw .badFileDescriptor }
      return UInt64(max(0, size))
    } catch { throw StoreError("fstat", error) }
  }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(StoreError) -> Int {
    do throws(Errno) {
      guard let position = Int64(exactly: offset) else { throw .invalidArgument }
      guard let count = try descriptor?.read(into: buffer, at: position) else { throw .badFileDescriptor }
      return count
    } catch { throw StoreError("pread", error) }
  }

  func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(StoreError) -> Int {
    do throws(Errno) {
      guard let position = Int64(exactly: offset) else { throw .invalidArgument }
      if let count = try direct?.write(bytes, at: position, clock: SystemClock()) ?? nil { return count }
      guard let count = try descriptor?.write(bytes, at: position) else { throw .badFileDescriptor }
      return count
    } catch { throw StoreError("pwrite", error) }
  }

  func beginWriteback(from offset: UInt64, byteCount: UInt64) {
    descriptor?.beginWriteback(from: offset, byteCount: byteCount)
  }

  func beginReading(from offset: UInt64, byteCount: UInt64) {
    descriptor?.beginReading(from: offset, byteCount: byteCount)
  }

  func dropCache() { descriptor?.dropCachedPages() }

  func synchronize() throws(StoreError) {
    do throws(Errno) {
      guard try descriptor?.synchronizeData() != nil else { throw .badFileDescriptor }
    } catch { throw StoreError("fdatasync", error) }
  }

  func truncate(to size: UInt64) throws(StoreError) {
    do throws(Errno) {
      guard let length = Int64(exactly: size) else { throw .invalidArgument }
      guard try descriptor?.truncate(to: length) != nil else { throw .badFileDescriptor }
    } catch { throw StoreError("ftruncate", error) }
  }

  func close() throws(StoreError) {
    guard let descriptor = descriptor.take() else { return }
    do throws(SystemError) {
      try direct.take()?.close()
      try descriptor.close()
    } catch { throw StoreError("close", error.errno) }
  }
}
