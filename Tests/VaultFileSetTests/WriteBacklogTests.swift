import Testing
import VaultSystem

@testable import VaultFileSet

/// When what a restore wrote is put on the disk.
@Suite(.timeLimit(.minutes(1))) struct WriteBacklogTests {
  @Test func eachFullStepIsTold() {
    let backlog = WriteBacklog(step: 100)
    var steps: UInt64 = 0
    // The first one comes after a quarter.
    backlog.add(24)
    backlog.add(1)
    #expect(backlog.wait(beyond: &steps) && steps == 1)
    // What came while the disk was busy is one step, however much it is.
    for _ in 0..<7 { backlog.add(50) }
    #expect(backlog.wait(beyond: &steps) && steps == 4)
    // What was full when the end came is still told, and then no more.
    backlog.add(100)
    backlog.finish()
    #expect(backlog.wait(beyond: &steps) && steps == 5)
    backlog.add(49)
    #expect(!backlog.wait(beyond: &steps))
  }

  @Test(arguments: [true, false]) func whoWaitsIsWoken(_ isFinished: Bool) async throws {
    let backlog = WriteBacklog(step: 100)
    async let waited = onThread(name: "test") {
      var steps: UInt64 = 0
      return backlog.wait(beyond: &steps)
    }
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
