import Testing
import VaultSession

/// The in-process twin of a listening socket.
@Suite(.timeLimit(.minutes(1))) struct PipeListenerTests {
  @Test func connectionsAreAcceptedInOrder() async throws {
    let listener = PipeListener(name: "sd")
    let first = try listener.connect(from: "one")
    let second = try listener.connect(from: "two")
    let accepted = [await listener.accept(), await listener.accept()]
    #expect(accepted.map { $0?.peer } == ["one", "two"])
    #expect(first.peer == "sd" && second.peer == "sd")
    _ = try second.sendNow([2])
    #expect(try accepted[1]?.receiveNow().bytes == [2])
    #expect(try accepted[0]?.receiveNow().bytes == [])
  }

  @Test func anAcceptorWaitsForADialler() async throws {
    let listener = PipeListener(name: "sd")
    async let accepted = listener.accept()
    let dialled = try listener.connect(from: "fd")
    #expect(await accepted?.peer == "fd")
    withExtendedLifetime(dialled) {}
  }

  @Test func capacityIsTheListeners() throws {
    let end = try PipeListener(name: "sd", capacity: 5).connect(from: "fd")
    // The listener has gone and with it the connection that nobody accepted.
    #expect(throws: TransportError(.closed, peer: "sd")) { try end.sendNow([1]) }
    let listener = PipeListener(name: "sd", capacity: 5)
    let small = try listener.connect(from: "fd")
    #expect(try small.sendNow(pattern(100)) == 5)
  }

  @Test func closingEndsWhatNobodyAccepted() async throws {
    let listener = PipeListener(name: "sd")
    let waiting = try listener.connect(from: "fd")
    listener.close()
    #expect(try waiting.receiveNow().isAtEnd)
    #expect(await listener.accept() == nil)
    #expect(throws: TransportError(.closed, peer: "sd")) { try listener.connect(from: "late") }
  }

  @Test func closingKeepsWhatWasAccepted() async throws {
    let listener = PipeListener(name: "sd")
    let here = try listener.connect(from: "fd")
    let there = await listener.accept()
    listener.close()
    #expect(try here.sendNow([1]) == 1)
    #expect(try there?.receiveNow().bytes == [1])
  }

  @Test func closingWakesTheAcceptor() async throws {
    let listener = PipeListener(name: "sd")
    async let accepted = listener.accept()
    listener.close()
    #expect(await accepted == nil)
  }

  @Test func cancellingTheAcceptorClosesTheListener() async throws {
    let listener = PipeListener(name: "sd")
    let task = Task { await listener.accept() }
    task.cancel()
    #expect(await task.value == nil)
    #expect(throws: TransportError(.closed, peer: "sd")) { try listener.connect(from: "late") }
  }
}
