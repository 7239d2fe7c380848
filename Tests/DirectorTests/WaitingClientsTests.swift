import Testing
import VaultSession
import VaultSystem

@testable import Director

/// Connections that clients opened, as the director keeps and uses them.
@Suite(.timeLimit(.minutes(1))) struct WaitingClientsTests {
  private let waiting = WaitingClients()

  /// A connection that waits, and the client's end of it.
  private func call(_ client: String) -> (here: Channel, there: Channel) {
    let (here, there) = PipeTransport.pair(capacity: 1 << 16)
    let channel = Channel(here)
    waiting.add(channel, of: client)
    return (channel, Channel(there))
  }

  @Test func aConnectionIsTakenOnceAndTheNewestFirst() {
    let (first, second) = (call("a"), call("a"))
    _ = call("b")
    #expect(waiting.take("a") === second.here)
    #expect(waiting.take("a") === first.here)
    #expect(waiting.take("a") == nil && waiting.take("c") == nil)
  }

  @Test func oneThatItsClientEndsIsNotThereAnyMore() async throws {
    let only = call("a")
    only.there.close()
    #expect(try await only.there.receiveLine() == nil)
    #expect(waiting.take("a") == nil)
  }

  @Test func tooManyOfOneClientEnd() async throws {
    let all = (1...9).map { _ in call("a") }
    #expect(try await all[0].there.receiveLine() == nil, "the oldest")
    var count = 0
    while waiting.take("a") != nil { count += 1 }
    #expect(count == 8)
  }

  @Test func whoWaitsIsWokenByAnArrival() async throws {
    let poller = try Poller()
    defer { poller.close() }
    async let arrived: Void = waiting.arrival(of: "a", poller: poller, nanoseconds: 30_000_000_000)
    let only = call("a")
    await arrived
    #expect(waiting.take("a") === only.here)
    await waiting.arrival(of: "a", poller: poller, nanoseconds: 1_000_000)
    #expect(waiting.take("a") == nil, "the time passed")
  }

  @Test func nothingWaitsAfterTheEnd() async throws {
    let before = call("a")
    waiting.close()
    let late = call("a")
    #expect(try await before.there.receiveLine() == nil)
    #expect(try await late.there.receiveLine() == nil)
    #expect(waiting.take("a") == nil)
  }
}
