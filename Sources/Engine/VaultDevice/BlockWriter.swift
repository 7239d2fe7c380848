import Synchronization
import SystemPackage
import VaultModel
import VaultProtocol
import VaultSystem

/// A block on its way to the volume: a buffer with the payload behind the room for the header.
struct QueuedBlock: Sendable {
  var buffer: PooledBuffer
  /// Everything but volume, number and checksum, which the device sets when it writes the block.
  var header: BlockHeader
  /// Whether it may use the room that a volume keeps for its last commit.
  var mayUseReserve: Bool
}

/// The writer thread of a device control record, and what the thread and the data thread share.
final class BlockWriter: Sendable {
  private struct State {
    /// Where the blocks written since the last commit lie, in order.
    var placements: [BlockPlacement] = []
    /// Volumes that hold blocks which no commit covers, with the end of the last one.
    var touched: [UniqueIdentifier: UInt64] = [:]
    var failure: DeviceError?
  }

  let session: UniqueIdentifier
  private let device: Device
  private let queue: BoundedQueue<QueuedBlock>
  private let pool: BufferPool
  private let sync: SyncThread
  private let monitor = Monitor()
  private let state = Mutex(State())

  init(device: Device, session: UniqueIdentifier, pool: BufferPool, capacity: Int) {
    self.device = device
    self.session = session
    self.pool = pool
    queue = BoundedQueue(capacity: capacity)
    sync = SyncThread(device: device)
  }

  /// Writes queued blocks until the queue ends, and takes leave of the device: the thread's body.
  func run() {
    while let block = queue.pop() {
      do throws(DeviceError) {
        let placement = try device.append(block, from: self)
        try device.boundUnsynced(placement.volume, by: sync)
        state.withLock { $0.placements.append(placement) }
        monitor.signal()
      } catch {
        fail(error)
      }
    }
    sync.finish()
    device.unregister(self)
  }

  // MARK: The data thread's side

  /// Why the session cannot go on.
  var failure: DeviceError? { state.withLock { $0.failure } }

  /// Hands a block to the thread, waiting for room.
  func write(_ block: QueuedBlock) throws(DeviceError) {
    guard queue.push(block) else { throw failure ?? DeviceError(.closed) }
  }

  /// Waits until that many blocks are written since the last commit.
  ///
  /// - Returns: where they lie.
  func placements(ofFirst count: Int) throws(DeviceError) -> [BlockPlacement] {
    while true {
      let ticket = monitor.ticket()
      let (placements, failure) = state.withLock { state in
        (state.placements.count >= count ? state.placements : nil, state.failure)
      }
      if let failure { throw failure }
      if let placements { return placements }
      monitor.wait(since: ticket)
    }
  }

  /// Waits until nothing is synced beside the writing.
  func waitUntilSynced() { sync.waitUntilIdle() }

  /// The volumes that hold blocks which no commit covers, with the end of the last one.
  var touched: [UniqueIdentifier: UInt64] { state.withLock { $0.touched } }

  /// What was written so far is acknowledged.
  ///
  /// - Throws: why it must not be.
  func acknowledge() throws(DeviceError) {
    try state.withLock { (state) throws(DeviceError) in
      if let failure = state.failure { throw failure }
      state.placements.removeAll(keepingCapacity: true)
      state.touched.removeAll(keepingCapacity: true)
    }
  }

  /// Lets the thread end once the queue is empty.
  func finish() { queue.finish() }

  // MARK: The device's side

  /// The next write goes to a volume; from now on its failure is this session's.
  ///
  /// - Returns: the end of what the session wrote there before, for `didNotWrite`.
  func willWrite(to volume: UniqueIdentifier, end: UInt64) -> UInt64? {
    state.withLock { state in
      defer { state.touched[volume] = end }
      return state.touched[volume]
    }
  }

  /// The write did not happen there.
  func didNotWrite(to volume: UniqueIdentifier, before: UInt64?) {
    state.withLock { $0.touched[volume] = before }
  }

  /// A volume failed: the session is aborted when it has uncommitted blocks there.
  func volumeFailed(_ volume: UniqueIdentifier, name: String, errno: Errno?) {
    let isConcerned = state.withLock { $0.touched[volume] != nil }
    if isConcerned { fail(DeviceError(.sessionAborted(errno), volume: name)) }
  }

  /// Ends the session with an error: everything that waits or comes later gets it.
  func fail(_ error: DeviceError) {
    state.withLock { if $0.failure == nil { $0.failure = error } }
    queue.cancel()
    pool.cancel()
    monitor.signal()
  }
}
