import Synchronization
import SystemPackage
import VaultModel
import VaultProtocol

/// A volume that is open for appending: how far it is written and how far it is synced.
///
/// Blocks are written under the device's append lock. Syncs run beside them, one at a time: the kernel reports a failed
/// write-back to one sync only, so that a second one running beside it would take lost data for safe.
final class AppendVolume: Sendable {
  private struct State {
    var writtenEnd: UInt64
    var syncedEnd: UInt64
    var writebackEnd: UInt64
    var nextNumber: UInt64
    /// Why nothing more may be appended nor acknowledged.
    var failure: DeviceError?
  }

  /// How often the system is asked to begin writing to the medium.
  private static let writebackInterval: UInt64 = 8 << 20

  let identifier: UniqueIdentifier
  let name: String
  let labeled: Timestamp
  private let file: any VolumeFile
  private let state: Mutex<State>
  private let syncLock = Mutex(())

  /// A volume whose file ends, synced, at `end`.
  init(
    identifier: UniqueIdentifier, name: String, labeled: Timestamp, file: any VolumeFile, end: UInt64,
    nextNumber: UInt64
  ) {
    self.identifier = identifier
    self.name = name
    self.labeled = labeled
    self.file = file
    state = Mutex(
      State(writtenEnd: end, syncedEnd: end, writebackEnd: end, nextNumber: nextNumber, failure: nil))
  }

  var writtenEnd: UInt64 { state.withLock { $0.writtenEnd } }
  var syncedEnd: UInt64 { state.withLock { $0.syncedEnd } }
  var unsyncedByteCount: UInt64 { state.withLock { $0.writtenEnd - $0.syncedEnd } }
  var failure: DeviceError? { state.withLock { $0.failure } }
  /// Whether nothing but the label was ever written.
  var isBlank: Bool { state.withLock { $0.nextNumber <= 1 } }

  /// The number of the next block.
  var nextNumber: UInt64 { state.withLock { $0.nextNumber } }

  /// Marks the volume as failed; the first reason stays.
  func fail(_ error: DeviceError) {
    state.withLock { if $0.failure == nil { $0.failure = error } }
  }

  /// Writes a sealed, padded block at the end. Called under the device's append lock.
  ///
  /// - Returns: where it lies.
  /// - Throws: `StoreError`; the bytes behind the end are then undefined.
  func append(_ block: UnsafeRawBufferPointer) throws(StoreError) -> BlockPlacement {
    let start = writtenEnd
    try file.writeAll(block, at: start)
    let end = start + UInt64(block.count)
    let writeback: (UInt64, UInt64)? = state.withLock { state in
      state.writtenEnd = end
      state.nextNumber += 1
      guard end - state.writebackEnd >= Self.writebackInterval else { return nil }
      defer { state.writebackEnd = end }
      return (state.writebackEnd, end - state.writebackEnd)
    }
    if let (offset, byteCount) = writeback { file.beginWriteback(from: offset, byteCount: byteCount) }
    return BlockPlacement(volume: identifier, address: BlockAddress(byteOffset: start), end: end)
  }

  /// Cuts what a failed write left behind the end. Called under the device's append lock.
  func cutPartialBlock() throws(StoreError) { try file.truncate(to: writtenEnd) }

  /// Makes durable what was written before `end`, unless it is already.
  ///
  /// - Throws: why the volume failed; it is then marked as failed, so that no other sync can succeed.
  func synchronize(through end: UInt64) throws(DeviceError) {
    try syncLock.withLock { (_) throws(DeviceError) in
      let (failure, syncedEnd, writtenEnd) = state.withLock { ($0.failure, $0.syncedEnd, $0.writtenEnd) }
      // What is synced stays so, whatever happened to the volume afterwards.
      guard syncedEnd < end else { return }
      if let failure { throw failure }
      do throws(StoreError) {
        try file.synchronize()
      } catch {
        let failure = DeviceError(.io(call: error.call, errno: error.errno), volume: name)
        fail(failure)
        throw failure
      }
      state.withLock { $0.syncedEnd = max($0.syncedEnd, writtenEnd) }
    }
  }

  /// Closes the file; nobody writes any more.
  func close() throws(DeviceError) {
    try syncLock.withLock { (_) throws(DeviceError) in
      fail(DeviceError(.closed, volume: name))
      do throws(StoreError) { try file.close() } catch {
        throw DeviceError(.io(call: error.call, errno: error.errno), volume: name)
      }
    }
  }
}

/// Where a block was written.
struct BlockPlacement: Sendable {
  var volume: UniqueIdentifier
  var address: BlockAddress
  /// The byte behind its padding.
  var end: UInt64
}
