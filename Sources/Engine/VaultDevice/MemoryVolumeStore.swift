import Synchronization
import SystemPackage

/// Volumes in memory: the twin of `FileVolumeStore`, which also knows which 512-byte sectors a power cut would find unsynced.
package final class MemoryVolumeStore: VolumeStore {
  /// What a disk writes whole or not at all.
  package static let sectorSize = 512

  /// A file as the page cache holds it and as the medium does.
  final class Content: Sendable {
    struct State {
      var cached: MemoryImage
      var durable: MemoryImage
      /// Sectors that differ, as far as a sync would bring them to the medium.
      var unsynced: Set<Int> = []
      /// Sectors that a failed sync gave up: only writing them again makes them durable.
      var lost: Set<Int> = []
    }
    let state: Mutex<State>

    init(_ image: MemoryImage = MemoryImage()) { state = Mutex(State(cached: image, durable: image)) }
  }

  private let files = Mutex<[String: Content]>([:])

  package init() {}

  init(files: [String: Content]) { self.files.withLock { $0 = files } }

  package func names() throws(StoreError) -> [String] { files.withLock { Array($0.keys) } }

  package func create(_ name: String) throws(StoreError) -> any VolumeFile {
    let content = Content()
    let isNew = files.withLock { files in
      guard files[name] == nil else { return false }
      files[name] = content
      return true
    }
    guard isNew else { throw StoreError("open", .fileExists) }
    return MemoryVolumeFile(content, isWritable: true)
  }

  package func open(_ name: String, forAppending: Bool) throws(StoreError) -> any VolumeFile {
    guard let content = files.withLock({ $0[name] }) else { throw StoreError("open", .noSuchFileOrDirectory) }
    return MemoryVolumeFile(content, isWritable: forAppending)
  }

  package func remove(_ name: String) throws(StoreError) {
    guard files.withLock({ $0.removeValue(forKey: name) }) != nil else {
      throw StoreError("unlink", .noSuchFileOrDirectory)
    }
  }

  /// The files as they are, for a crash image.
  var contents: [String: Content] { files.withLock { $0 } }

  /// A file's bytes as a reader sees them; nil when there is none.
  package func bytes(of name: String) -> [UInt8]? {
    files.withLock { $0[name] }?.state.withLock { $0.cached.bytes }
  }

  /// Puts a file in place, durably.
  package func put(_ name: String, _ bytes: [UInt8]) {
    let content = Content(MemoryImage(bytes))
    files.withLock { $0[name] = content }
  }
}

/// An open file in memory.
private final class MemoryVolumeFile: VolumeFile {
  private let content: MemoryVolumeStore.Content
  private let isWritable: Bool
  private let isClosed = Atomic(false)

  init(_ content: MemoryVolumeStore.Content, isWritable: Bool) {
    self.content = content
    self.isWritable = isWritable
  }

  private func check(_ call: String, writing: Bool) throws(StoreError) {
    guard !isClosed.load(ordering: .relaxed), !writing || isWritable else {
      throw StoreError(call, .badFileDescriptor)
    }
  }

  func size() throws(StoreError) -> UInt64 {
    try check("fstat", writing: false)
    return UInt64(content.state.withLock { $0.cached.count })
  }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(StoreError) -> Int {
    try check("pread", writing: false)
    return content.state.withLock { state in
      guard offset < state.cached.count else { return 0 }
      let start = Int(offset)
      let count = min(buffer.count, state.cached.count - start)
      state.cached.withBytes { bytes in
        buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[start..<start + count]))
      }
      return count
    }
  }

  func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(StoreError) -> Int {
    try check("pwrite", writing: true)
    guard let start = Int(exactly: offset), start <= Int.max - bytes.count else {
      throw StoreError("pwrite", .fileTooLarge)
    }
    guard bytes.count > 0 else { return 0 }
    content.state.withLock { state in
      let first = min(start, state.cached.count)
      let end = start + bytes.count
      if end > state.cached.count { state.cached.resize(to: end) }
      state.cached.write(bytes, at: start)
      let size = MemoryVolumeStore.sectorSize
      for sector in first / size...(end - 1) / size {
        state.unsynced.insert(sector)
        state.lost.remove(sector)
      }
    }
    return bytes.count
  }

  func beginWriteback(from offset: UInt64, byteCount: UInt64) {}
  func dropCache() { content.state.withLock { $0.forgetLost() } }

  func synchronize() throws(StoreError) {
    try check("fdatasync", writing: false)
    content.state.withLock { $0.synchronize() }
  }

  func truncate(to size: UInt64) throws(StoreError) {
    try check("ftruncate", writing: true)
    guard let size = Int(exactly: size) else { throw StoreError("ftruncate", .fileTooLarge) }
    content.state.withLock { $0.cached.resize(to: size) }
  }

  func close() throws(StoreError) { isClosed.store(true, ordering: .relaxed) }
}
