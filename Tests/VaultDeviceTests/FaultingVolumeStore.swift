import Synchronization
import SystemPackage
import VaultDevice

/// What happens to one call on a store.
enum Fault: Hashable, Sendable, CaseIterable {
  /// It fails with an I/O error.
  case inputOutput
  /// A write or creation finds no room; other calls fail with an I/O error.
  case noSpace
  /// A write finds the file too large; other calls fail with an I/O error.
  case fileTooLarge
  /// A write takes only a part, and the next one finds no room.
  case shortWrite
  /// A sync fails, and what was to be synced is partly lost though it still can be read.
  case lostSync
  /// Nothing of this process reaches the store any more from that call on; a write is cut short by it.
  case crash
}

/// A store in memory, of which one call fails.
final class FaultingVolumeStore: VolumeStore {
  enum Call: Sendable {
    case create, open, remove, write, synchronize, truncate, close
  }

  private struct State {
    var callCount = 0
    var isDead = false
    var nextWriteFails = false
    var armed: Call?
    var generator: SplitMix
    var calls: [Call] = []
    var readByteCount = 0
  }

  let base: MemoryVolumeStore
  private let failAt: Int
  private let fault: Fault
  private let state: Mutex<State>

  /// - Parameter failAt: which call fails, from 1; 0 for none.
  init(
    _ base: MemoryVolumeStore = MemoryVolumeStore(), failAt: Int = 0, _ fault: Fault = .inputOutput, seed: UInt64 = 0
  ) {
    self.base = base
    self.failAt = failAt
    self.fault = fault
    state = Mutex(State(generator: SplitMix(seed: seed)))
  }

  /// How many calls came.
  var callCount: Int { state.withLock { $0.callCount } }
  /// The calls in order.
  var calls: [Call] { state.withLock { $0.calls } }

  /// How many bytes were read.
  var readByteCount: Int { state.withLock { $0.readByteCount } }

  fileprivate func noteRead(_ count: Int) { state.withLock { $0.readByteCount += count } }

  /// Makes the next call of a kind meet the fault.
  func arm(_ call: Call) { state.withLock { $0.armed = call } }

  /// Counts a call.
  ///
  /// - Returns: the fault that it meets.
  fileprivate func meet(_ call: Call, _ name: String) throws(StoreError) -> Fault? {
    let fault = state.withLock { state -> Fault? in
      if state.isDead { return .inputOutput }
      if call == .write, state.nextWriteFails {
        state.nextWriteFails = false
        return .noSpace
      }
      state.callCount += 1
      state.calls.append(call)
      guard state.callCount == failAt || state.armed == call else { return nil }
      state.armed = nil
      if self.fault == .crash { state.isDead = true }
      if self.fault == .shortWrite, call == .write { state.nextWriteFails = true }
      return self.fault
    }
    switch fault {
    case nil: return nil
    case .inputOutput: throw StoreError("\(call)", .ioError)
    case .noSpace: throw StoreError("\(call)", call == .write || call == .create ? .noSpace : .ioError)
    case .fileTooLarge: throw StoreError("\(call)", call == .write ? .fileTooLarge : .ioError)
    case .lostSync:
      if call == .synchronize {
        var generator = state.withLock { $0.generator }
        base.loseUnsynced(of: name, using: &generator)
      }
      throw StoreError("\(call)", .ioError)
    case .shortWrite, .crash:
      guard call == .write else { throw StoreError("\(call)", .ioError) }
      return fault
    }
  }

  fileprivate func partialCount(_ count: Int) -> Int {
    state.withLock { Int.random(in: 0..<max(1, count), using: &$0.generator) }
  }

  func names() throws(StoreError) -> [String] { try base.names() }

  func create(_ name: String) throws(StoreError) -> any VolumeFile {
    _ = try meet(.create, name)
    return FaultingVolumeFile(self, name, try base.create(name))
  }

  func open(_ name: String, forAppending: Bool) throws(StoreError) -> any VolumeFile {
    _ = try meet(.open, name)
    return FaultingVolumeFile(self, name, try base.open(name, forAppending: forAppending))
  }

  func remove(_ name: String) throws(StoreError) {
    _ = try meet(.remove, name)
    try base.remove(name)
  }
}

private final class FaultingVolumeFile: VolumeFile {
  private let store: FaultingVolumeStore
  private let name: String
  private let base: any VolumeFile

  init(_ store: FaultingVolumeStore, _ name: String, _ base: any VolumeFile) {
    self.store = store
    self.name = name
    self.base = base
  }

  func size() throws(StoreError) -> UInt64 { try base.size() }
  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(StoreError) -> Int {
    let count = try base.read(into: buffer, at: offset)
    store.noteRead(count)
    return count
  }

  func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(StoreError) -> Int {
    guard let fault = try store.meet(.write, name) else { return try base.write(bytes, at: offset) }
    let part = UnsafeRawBufferPointer(rebasing: bytes[..<store.partialCount(bytes.count)])
    let count = part.isEmpty ? 0 : try base.write(part, at: offset)
    if fault == .crash { throw StoreError("pwrite", .ioError) }
    return count
  }

  func beginWriteback(from offset: UInt64, byteCount: UInt64) {}
  func dropCache() { base.dropCache() }

  func synchronize() throws(StoreError) {
    _ = try store.meet(.synchronize, name)
    try base.synchronize()
  }

  func truncate(to size: UInt64) throws(StoreError) {
    _ = try store.meet(.truncate, name)
    try base.truncate(to: size)
  }

  func close() throws(StoreError) {
    _ = try store.meet(.close, name)
    try base.close()
  }
}
