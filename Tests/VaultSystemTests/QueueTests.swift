import Testing
import VaultSystem

struct QueueTests {
  @Test func keepsOrderAndBound() {
    let queue = BoundedQueue<Int>(capacity: 2)
    #expect(queue.pushIfRoom(1) && queue.pushIfRoom(2) && !queue.pushIfRoom(3))
    #expect(queue.pop() == 1)
    #expect(queue.push(3))
    queue.finish()
    #expect(!queue.push(4))
    #expect(queue.pop() == 2 && queue.pop() == 3 && queue.pop() == nil)
  }

  @Test func cancelDropsEverything() {
    let queue = BoundedQueue<Int>(capacity: 2)
    #expect(queue.push(1))
    queue.cancel()
    #expect(queue.pop() == nil && !queue.push(2))
  }

  @Test func carriesEverythingBetweenThreads() async throws {
    let queue = BoundedQueue<Int>(capacity: 3)
    async let sum = onThread(name: "reader") {
      var sum = 0
      while let element = queue.pop() { sum += element }
      return sum
    }
    try await onThread(name: "writer") {
      for element in 1...10_000 { #expect(queue.push(element)) }
      queue.finish()
    }
    #expect(try await sum == 50_005_000)
  }

  @Test func wakesWaitingThreadsOnCancel() async throws {
    let queue = BoundedQueue<Int>(capacity: 1)
    async let popped = onThread(name: "reader") { queue.pop() }
    queue.cancel()
    #expect(try await popped == nil)
  }

  @Test func pooledBuffersComeBack() throws {
    let pool = BufferPool(bufferSize: 4096, limit: 1)
    for _ in 0..<3 {
      let buffer = try #require(pool.take())
      #expect(buffer.bytes.count == 4096 && buffer.count == 0)
      #expect(UInt(bitPattern: buffer.bytes.baseAddress) % 4096 == 0)
    }
    pool.cancel()
    #expect(pool.take() == nil)
  }

  @Test func buffersExchangeTheirMemory() throws {
    let pools = (BufferPool(bufferSize: 4096, limit: 1), BufferPool(bufferSize: 4096, limit: 1))
    do {
      let (one, other) = (try #require(pools.0.take()), try #require(pools.1.take()))
      let addresses = (one.bytes.baseAddress, other.bytes.baseAddress)
      one.swapMemory(with: other)
      #expect(one.bytes.baseAddress == addresses.1 && other.bytes.baseAddress == addresses.0)
    }
    // Each came back to its own pool.
    #expect(pools.0.take() != nil && pools.1.take() != nil)
  }

  @Test func poolsGiveNoMoreThanTheirLimit() async throws {
    let pool = BufferPool(bufferSize: 4096, limit: 3)
    var held = try (0..<3).map { _ in try #require(pool.take()) }
    let addresses = Set(held.map { UInt(bitPattern: $0.bytes.baseAddress) })
    #expect(addresses.count == 3)
    // A fourth is one of the three, whether it is wanted before or after one of them comes back.
    async let fourth = onThread(name: "taker") { pool.take().map { UInt(bitPattern: $0.bytes.baseAddress) } }
    held.removeFirst()
    let address = try #require(try await fourth)
    #expect(addresses.contains(address))
    #expect(!held.contains { UInt(bitPattern: $0.bytes.baseAddress) == address })
  }
}
