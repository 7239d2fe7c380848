import VaultSystem

/// A thread that reads blocks for one conversation, one after another; it ends with its last reference.
final class ReadThread: Sendable {
  private let work = BoundedQueue<@Sendable (BlockMemory) -> Void>(capacity: 1)

  /// - Throws: when the system refuses another thread.
  init() throws(SystemError) {
    try WorkerThread(name: "vault-read") { [work] in
      let memory = BlockMemory()
      while let next = work.pop() { next(memory) }
    }.detach()
  }

  deinit { work.finish() }

  /// Runs blocking work on the thread while the calling task waits by continuation; one caller at a time.
  func run(_ body: @escaping @Sendable (BlockMemory) throws -> Void) async throws {
    try await withCheckedThrowingContinuation { continuation in
      let isTaken = work.pushIfRoom { memory in continuation.resume(with: Result { try body(memory) }) }
      precondition(isTaken, "a conversation reads one block after another")
    }
  }
}

/// Memory for a block, kept for the next one. It belongs to one thread.
final class BlockMemory {
  private var bytes = UnsafeMutableRawBufferPointer(start: nil, count: 0)

  deinit { bytes.deallocate() }

  /// At least `byteCount` bytes, aligned as direct reading wants it; what was given before is no longer valid.
  func room(_ byteCount: Int) -> UnsafeMutableRawBufferPointer {
    if bytes.count < byteCount {
      bytes.deallocate()
      bytes = .allocate(byteCount: byteCount, alignment: 4096)
    }
    return bytes
  }
}
