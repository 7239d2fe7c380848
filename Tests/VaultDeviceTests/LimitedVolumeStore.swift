import Synchronization
import SystemPackage
import VaultDevice

/// A store in memory whose files, or all of them together, cannot grow beyond a size; the last write is cut short.
final class LimitedVolumeStore: VolumeStore {
  let base = MemoryVolumeStore()
  private let fileLimit: Int
  private let storeLimit: Int
  private let errno: Errno

  init(fileLimit: Int, storeLimit: Int, _ errno: Errno) {
    self.fileLimit = fileLimit
    self.storeLimit = storeLimit
    self.errno = errno
  }

  /// How many bytes of a write that ends at `end` have room; none is an error.
  fileprivate func room(for count: Int, at offset: UInt64, in name: String) throws(StoreError) -> Int {
    let sizes = try base.names().map { ($0, base.bytes(of: $0)?.count ?? 0) }
    let others = sizes.filter { $0.0 != name }.reduce(0) { $0 + $1.1 }
    let end = min(Int(offset) + count, fileLimit, storeLimit - others)
    guard end > Int(offset) else { throw StoreError("pwrite", errno) }
    return end - Int(offset)
  }

  func names() throws(StoreError) -> [String] { try base.names() }
  func create(_ name: String) throws(StoreError) -> any VolumeFile {
    LimitedVolumeFile(self, name, try base.create(name))
  }
  func open(_ name: String, forAppending: Bool) throws(StoreError) -> any VolumeFile {
    LimitedVolumeFile(self, name, try base.open(name, forAppending: forAppending))
  }
  func remove(_ name: String) throws(StoreError) { try base.remove(name) }
}

private final class LimitedVolumeFile: VolumeFile {
  private let store: LimitedVolumeStore
  private let name: String
  private let base: any VolumeFile

  init(_ store: LimitedVolumeStore, _ name: String, _ base: any VolumeFile) {
    self.store = store
    self.name = name
    self.base = base
  }

  func size() throws(StoreError) -> UInt64 { try base.size() }
  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(StoreError) -> Int {
    try base.read(into: buffer, at: offset)
  }
  func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(StoreError) -> Int {
    let count = try store.room(for: bytes.count, at: offset, in: name)
    return try base.write(UnsafeRawBufferPointer(rebasing: bytes[..<count]), at: offset)
  }
  func beginWriteback(from offset: UInt64, byteCount: UInt64) {}
  func dropCache() {}
  func synchronize() throws(StoreError) { try base.synchronize() }
  func truncate(to size: UInt64) throws(StoreError) { try base.truncate(to: size) }
  func close() throws(StoreError) { try base.close() }
}
