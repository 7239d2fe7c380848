import Glibc
import Synchronization

/// A page-aligned block of memory that belongs to one stage at a time and returns to its pool when the last reference goes.
package final class PooledBuffer: @unchecked Sendable {
  // Only the stage that holds the buffer touches its bytes; handing it over through a queue orders the accesses.
  /// The whole capacity.
  package private(set) var bytes: UnsafeMutableRawBufferPointer
  /// How many bytes, from the first, are in use.
  package var count = 0
  private let pool: BufferPool?

  init(bytes: UnsafeMutableRawBufferPointer, pool: BufferPool?) {
    self.bytes = bytes
    self.pool = pool
  }

  deinit {
    if let pool { pool.giveBack(bytes) } else { free(bytes.baseAddress) }
  }

  /// Exchanges the memory of two buffers of one size, so that neither's bytes are copied; each returns to its own pool.
  package func swapMemory(with other: PooledBuffer) {
    precondition(bytes.count == other.bytes.count)
    swap(&bytes, &other.bytes)
  }

  /// The bytes in use.
  package var used: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: bytes[..<count]) }
  /// The room behind the bytes in use.
  package var room: UnsafeMutableRawBufferPointer { UnsafeMutableRawBufferPointer(rebasing: bytes[count...]) }
}

/// A fixed number of equal buffers: its size is a stage's memory limit.
package final class BufferPool: @unchecked Sendable {
  private struct State: ~Copyable {
    var free: [UInt] = []
    var made = 0
    var isCancelled = false
  }

  private let state = Mutex(State())
  private let monitor = Monitor()
  package let bufferSize: Int
  private let limit: Int

  /// A pool of at most `limit` buffers of `bufferSize` bytes; memory is taken when a buffer is first needed.
  package init(bufferSize: Int, limit: Int) {
    self.bufferSize = bufferSize
    self.limit = limit
  }

  deinit {
    state.withLock { state in
      for address in state.free { Glibc.free(UnsafeMutableRawPointer(bitPattern: address)) }
    }
  }

  /// An empty buffer, waiting for one to come back when all are in use.
  ///
  /// - Returns: nil when the pool was cancelled, or the system has no memory.
  package func take() -> PooledBuffer? {
    while true {
      let ticket = monitor.ticket()
      var isOver = false
      let address: UInt? = state.withLock { state in
        if state.isCancelled {
          isOver = true
          return nil
        }
        if let address = state.free.popLast() { return address }
        guard state.made < limit else { return nil }
        var memory: UnsafeMutableRawPointer?
        guard posix_memalign(&memory, 4096, bufferSize) == 0, let memory else {
          isOver = true
          return nil
        }
        state.made += 1
        return UInt(bitPattern: memory)
      }
      if let address, let memory = UnsafeMutableRawPointer(bitPattern: address) {
        return PooledBuffer(bytes: UnsafeMutableRawBufferPointer(start: memory, count: bufferSize), pool: self)
      }
      if isOver { return nil }
      monitor.wait(since: ticket)
    }
  }

  /// Wakes everybody who waits for a buffer and refuses further ones.
  package func cancel() {
    state.withLock { $0.isCancelled = true }
    monitor.signal()
  }

  fileprivate func giveBack(_ bytes: UnsafeMutableRawBufferPointer) {
    state.withLock { $0.free.append(UInt(bitPattern: bytes.baseAddress)) }
    monitor.signal()
  }
}
