import Testing
import VaultModel
import VaultSystem

@testable import FileDaemon

/// What the main thread of a restore and its workers hand to each other.
@Suite(.timeLimit(.minutes(1))) struct RestoreQueueTests {
  private struct Failure: Error {}

  @Test func aBatchIsDoneWhenItsOwnWorkIs() async throws {
    let queue = RestoreQueue(capacity: 4)
    try queue.push(.withoutData([]), of: 1)
    try queue.push(.withoutData([]), of: 1)
    try queue.push(.withoutData([]), of: 2)
    let first = try #require(queue.pop())
    let second = try #require(queue.pop())
    let third = try #require(queue.pop())
    queue.done(third.batch)
    // The second batch is done, the first one is not.
    try queue.wait(for: 2)
    let order = BoundedQueue<String>(capacity: 2)
    async let waited: Void = elsewhere {
      try queue.wait(for: 1)
      _ = order.push("waited")
    }
    queue.done(first.batch)
    #expect(order.push("one is left"))
    queue.done(second.batch)
    try await waited
    #expect(order.pop() == "one is left")
    // Nothing was ever handed over for the third.
    try queue.wait(for: 3)
  }

  @Test func whatGoesOnElsewhereCounts() async throws {
    let queue = RestoreQueue(capacity: 1)
    try queue.push(.withoutData([]), of: 1)
    queue.begin(1)
    queue.done(try #require(queue.pop()).batch)
    let order = BoundedQueue<String>(capacity: 2)
    async let waited: Void = elsewhere {
      try queue.wait(for: 1)
      _ = order.push("waited")
    }
    #expect(order.push("one is left"))
    queue.done(1)
    try await waited
    #expect(order.pop() == "one is left")
  }

  @Test func whoWaitsHearsOfAFailure() async throws {
    let queue = RestoreQueue(capacity: 1)
    let parts = BoundedQueue<FetchedGroup>(capacity: 1)
    try queue.push(.large(Self.item, parts), of: 1)
    async let waited = elsewhere { () -> Bool in
      do { try queue.wait(for: 1) } catch is Failure { return true }
      return false
    }
    async let pushed = elsewhere { () -> Bool in
      do { try queue.push(.withoutData([]), of: 2) } catch is Failure { return true }
      return false
    }
    queue.fail(Failure())
    let hasFailed = try await (waited, pushed)
    #expect(hasFailed == (true, true))
    // Whoever sends the parts of a content that nobody writes does not wait either.
    #expect(parts.pop() == nil)
    #expect(queue.pop() == nil)
  }

  private static let item = ContentItem(
    identifier: ContentIdentifier(session: .none, index: 1),
    sealed: SealedContent(size: 1, algorithm: .sha256, digest: Digest256(words: (0, 0, 0, 0))), isWithoutData: false,
    groups: [])
}
