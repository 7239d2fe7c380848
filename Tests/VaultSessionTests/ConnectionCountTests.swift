import Testing

@testable import VaultSession

/// What becomes of one more connection.
@Suite struct ConnectionCountTests {
  private let all = TooManyConnections(limit: 2, isPerAddress: false)
  private let one = TooManyConnections(limit: 1, isPerAddress: true)

  @Test func aboveALimit() {
    var limits = TLSListener.Limits()
    limits.connections = 2
    limits.connectionsPerAddress = 1
    limits.surplusConnections = 1
    var count = ConnectionCount(limits)
    #expect(count.admit("a") == .admitted)
    #expect(count.admit("a") == .surplus(one))
    #expect(count.admit("a") == .dropped(one))
    count.forgetSurplus()
    #expect(count.admit("b") == .admitted)
    #expect(count.admit("c") == .surplus(all))
    count.forget("a")
    #expect(count.admit("c") == .admitted)
    #expect(count.admit("a") == .dropped(all))
  }

  @Test func linesThatAreHeldBackAreCounted() {
    var rate = LineRate()
    #expect(rate.next(at: 5) == 0)
    for _ in 0..<3 { #expect(rate.next(at: 1_000_000_000) == nil) }
    #expect(rate.next(at: 10_000_000_005) == 3)
    #expect(rate.next(at: 10_000_000_006) == nil)
    #expect(rate.next(at: 20_000_000_005) == 1)
  }
}
