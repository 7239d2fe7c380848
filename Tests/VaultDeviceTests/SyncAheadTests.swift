import Synchronization
import SystemPackage
import Testing
import VaultModel
import VaultSystem

@testable import VaultDevice

/// Syncs beside the writing: what waits for them stays bounded, and their failure is the session's.
@Suite struct SyncAheadTests {
  private static let limit: UInt64 = 64 << 10

  @Test func writingGoesOnWhileTheMediumSyncs() throws {
    let store = GatedVolumeStore()
    let device = Fixture.device(store, unsyncedLimit: Self.limit)
    _ = try device.recover(known: [])
    let driver = try SessionDriver(device, Fixture.sessionA)
    try driver.record.waitUntilWritten()
    store.close()
    let wentOn = Mutex(false)
    // Opens when as much was written as may be, and the sync that began at half of it goes on.
    let opening = try WorkerThread(name: "gate") {
      let isFull = store.waitUntilUnsynced(Self.limit)
      wentOn.withLock { $0 = isFull }
      store.open()
    }
    for _ in 0..<20 { try driver.append(15_000) }
    try driver.commit()
    opening.join()
    #expect(wentOn.withLock { $0 }, "nothing was written while a sync went on")
    #expect(store.mostUnsynced <= Self.limit + UInt64(device.parameters.maximumBlockSize))
    #expect(store.syncCount >= 5)
    for location in try #require(driver.acknowledged.first).result.groups {
      #expect(try device.checksum(at: location) == driver.acknowledged[0].contents[location.group])
    }
  }

  @Test(arguments: [Fault.inputOutput, .lostSync]) func aSyncThatFailsEndsTheSession(_ fault: Fault) throws {
    let store = FaultingVolumeStore(failAt: 0, fault)
    let device = Fixture.device(store, unsyncedLimit: Self.limit)
    _ = try device.recover(known: [])
    let driver = try SessionDriver(device, Fixture.sessionA)
    try driver.append(15_000)
    try driver.commit()
    store.arm(.synchronize)
    let failure = DeviceError(.sessionAborted(.ioError), volume: "vol-0001")
    // Less than the limit: nobody but the thread beside the writing syncs.
    for _ in 0..<2 { try driver.append(15_000) }
    #expect(throws: failure) {
      try driver.append(15_000)
      try driver.record.waitUntilWritten()
    }
    #expect(throws: failure) { try driver.commit() }
    #expect(device.volumes.map(\.status) == [.error])
    try driver.restart(device)
    try driver.append(15_000)
    let result = try driver.commit()
    #expect(result.volumes.map(\.status) == [.error, .append])
    for commit in driver.acknowledged {
      for location in commit.result.groups {
        #expect(try device.checksum(at: location) == commit.contents[location.group])
      }
    }
  }

  /// The thread that writes may see a failure of the one that syncs before the volume's status says it.
  @Test func aVolumeThatHasJustFailedIsNotOpenedAgain() throws {
    let device = Fixture.device(MemoryVolumeStore())
    _ = try device.recover(known: [])
    let driver = try SessionDriver(device, Fixture.sessionA)
    try driver.append(15_000)
    try driver.append(15_000)
    try driver.record.waitUntilWritten()
    let volume = try #require(device.volumes.first)
    #expect(volume.status == .append)
    device.state.withLock { $0.appended[volume.identifier]?.fail(DeviceError(.io(call: "fdatasync", errno: .ioError))) }
    try device.prepareToAppend()
    #expect(device.volumes.map(\.name) == ["vol-0001", "vol-0002"])
    #expect(throws: DeviceError.self) { try driver.commit() }
    #expect(driver.acknowledged.isEmpty)
  }
}

/// A store in memory whose syncs wait while it is closed.
private final class GatedVolumeStore: VolumeStore {
  private struct State {
    var isClosed = false
    var written: UInt64 = 0
    var synced: UInt64 = 0
    var mostUnsynced: UInt64 = 0
    var syncingCount = 0
    var writtenDuringSync: UInt64 = 0
    var syncCount = 0
  }

  private static let firstCount: UInt64 = 40 << 10

  private let base = MemoryVolumeStore()
  private let state = Mutex(State())
  private let monitor = Monitor()

  var mostUnsynced: UInt64 { state.withLock { $0.mostUnsynced } }
  var syncCount: Int { state.withLock { $0.syncCount } }

  func close() { state.withLock { $0.isClosed = true } }

  func open() {
    state.withLock { $0.isClosed = false }
    monitor.signal()
  }

  /// Waits until so much waits for a sync, a part of it written while one went on that still does; false when that does not happen.
  func waitUntilUnsynced(_ byteCount: UInt64) -> Bool {
    wait { $0.written - $0.synced >= byteCount && $0.syncingCount > 0 && $0.writtenDuringSync > 0 }
  }

  /// While the store is closed, what is behind the first so many bytes is not written before a sync has begun.
  fileprivate func willWrite() {
    _ = wait { !$0.isClosed || $0.written - $0.synced < Self.firstCount || $0.syncingCount > 0 }
  }

  private func wait(until condition: (borrowing State) -> Bool) -> Bool {
    for _ in 0..<20 {
      let ticket = monitor.ticket()
      if state.withLock({ condition($0) }) { return true }
      _ = monitor.wait(since: ticket, nanoseconds: 1_000_000_000)
    }
    return false
  }

  fileprivate func wrote(_ count: Int) {
    state.withLock { state in
      state.written += UInt64(count)
      if state.syncingCount > 0 { state.writtenDuringSync += UInt64(count) }
      state.mostUnsynced = max(state.mostUnsynced, state.written - state.synced)
    }
    monitor.signal()
  }

  fileprivate func synchronize(_ file: any VolumeFile) throws(StoreError) {
    let covered = state.withLock { state in
      state.syncingCount += 1
      state.syncCount += 1
      return state.written
    }
    monitor.signal()
    while true {
      let ticket = monitor.ticket()
      if state.withLock({ !$0.isClosed }) { break }
      monitor.wait(since: ticket)
    }
    defer {
      state.withLock { state in
        state.synced = max(state.synced, covered)
        state.syncingCount -= 1
      }
    }
    try file.synchronize()
  }

  func names() throws(StoreError) -> [String] { try base.names() }
  func create(_ name: String) throws(StoreError) -> any VolumeFile { GatedVolumeFile(self, try base.create(name)) }
  func open(_ name: String, forAppending: Bool) throws(StoreError) -> any VolumeFile {
    GatedVolumeFile(self, try base.open(name, forAppending: forAppending))
  }
  func remove(_ name: String) throws(StoreError) { try base.remove(name) }
}

private final class GatedVolumeFile: VolumeFile {
  private let store: GatedVolumeStore
  private let base: any VolumeFile

  init(_ store: GatedVolumeStore, _ base: any VolumeFile) {
    self.store = store
    self.base = base
  }

  func size() throws(StoreError) -> UInt64 { try base.size() }
  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(StoreError) -> Int {
    try base.read(into: buffer, at: offset)
  }
  func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(StoreError) -> Int {
    store.willWrite()
    let count = try base.write(bytes, at: offset)
    store.wrote(count)
    return count
  }
  func beginWriteback(from offset: UInt64, byteCount: UInt64) {}
  func dropCache() {}
  func synchronize() throws(StoreError) { try store.synchronize(base) }
  func truncate(to size: UInt64) throws(StoreError) { try base.truncate(to: size) }
  func close() throws(StoreError) { try base.close() }
}
