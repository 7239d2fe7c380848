import Testing
import VaultSystem

@testable import VaultFileSet

/// When what a restore wrote is put on the disk.
@Suite(.timeLimit(.minutes(1))) struct WriteBacklogTests {
  /// Has a thread take steps until there are no more.
  private static func takeAll(_ backlog: WriteBacklog) async throws -> Int {
    try await onThread(name: "test") {
      var count = 0
      while backlog.takeSteps() { count += 1 }
      return count
    }
  }

  @Test func eachFullStepIsTakenOnce() {
    let backlog = WriteBacklog(step: 100)
    // The first one comes after a sixteenth.
    backlog.add(5)
    backlog.add(1)
    #expect(backlog.takeSteps())
    // What came while the disk was busy is one step, however much it is.
    for _ in 0..<7 { backlog.add(56) }
    #expect(backlog.takeSteps())
    // What was full when the end came is still taken, and then no more.
    backlog.add(100)
    backlog.finish()
    #expect(backlog.takeSteps())
    backlog.add(7)
    #expect(!backlog.takeSteps())
  }

  @Test func ofTwoThreadsOneTakesAStep() async throws {
    let backlog = WriteBacklog(step: 100)
    backlog.add(6)
    backlog.finish()
    async let one = Self.takeAll(backlog)
    async let other = Self.takeAll(backlog)
    let count = try await one + other
    #expect(count == 1)
  }

  @Test(arguments: [true, false]) func whoWaitsIsWoken(_ isFinished: Bool) async throws {
    let backlog = WriteBacklog(step: 100)
    async let waited = onThread(name: "test") { backlog.takeSteps() }
    if isFinished { backlog.finish() } else { for _ in 0..<100 { backlog.add(1) } }
    #expect(try await waited == !isFinished)
  }

  @Test func filesCountWithTheirInodes() throws {
    let fixture = try RestoreFixture()
    let target = try RestoreTarget(path: fixture.tree.path, policy: .always)
    var writer = RestoreWriter(target: target, randomSeed: 1, directoryLimit: 4)
    let before = target.backlog.byteCount
    _ = try writer.file("/", "a", "12345")
    #expect(target.backlog.byteCount - before == 5 + UInt64(WriteBacklog.fileByteCount))
  }
}
