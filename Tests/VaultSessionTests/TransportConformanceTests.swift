import Testing
import VaultSession
import VaultSystem

/// What every transport owes; a new kind is added to `TransportKind.all`.
@Suite(.timeLimit(.minutes(1))) struct TransportConformanceTests {
  @Test(arguments: TransportKind.all) func bytesArriveInOrder(_ kind: TransportKind) async throws {
    let (here, there) = try await kind.makePair()
    let bytes = pattern(10_000)
    let sender = try WorkerThread(name: "sender") {
      try? here.sendAll(bytes)
      here.close()
    }
    #expect(try there.receiveAll(limit: 13) == bytes)
    sender.join()
  }

  @Test(arguments: TransportKind.all) func bothDirectionsAreApart(_ kind: TransportKind) async throws {
    let (here, there) = try await kind.makePair()
    #expect(try here.sendNow([1]) == 1)
    #expect(try there.sendNow([2]) == 1)
    #expect(try here.receive(count: 1) == [2])
    #expect(try there.receive(count: 1) == [1])
  }

  @Test(arguments: TransportKind.all) func nothingThereIsNotTheEnd(_ kind: TransportKind) async throws {
    let (here, there) = try await kind.makePair()
    let (bytes, isAtEnd) = try here.receiveNow()
    #expect(bytes.isEmpty && !isAtEnd)
    withExtendedLifetime(there) {}
  }

  @Test(arguments: TransportKind.all) func aReceiverIsWokenOnce(_ kind: TransportKind) async throws {
    let (here, there) = try await kind.makePair()
    let wakes = Wakes()
    there.whenReceivable { wakes.arrive() }
    #expect(wakes.count == 0)
    _ = try here.sendNow([1])
    #expect(wakes.come())
    _ = try there.receive(count: 1)
    _ = try here.sendNow([2])
    #expect(wakes.count == 1)
    let again = Wakes()
    there.whenReceivable { again.arrive() }
    #expect(again.come())
  }

  @Test(arguments: TransportKind.all) func aSenderIsWokenWhenAllWasTaken(_ kind: TransportKind) async throws {
    let (here, there) = try await kind.makePair()
    let wakes = Wakes()
    here.whenSendable { wakes.arrive() }
    #expect(wakes.come(), "there is room at the beginning")
    let bytes = [UInt8](repeating: 5, count: kind.moreThanItHolds)
    var taken = try here.sendNow(bytes)
    #expect(taken < bytes.count, "what a transport holds is bounded")
    let room = Wakes()
    here.whenSendable { room.arrive() }
    #expect(try there.receive(count: taken).count == taken)
    #expect(room.come())
    // What a send that found no room began goes on with the same bytes.
    taken += try here.sendNow(Array(bytes[taken...]))
    #expect(taken > 0)
  }

  @Test(arguments: TransportKind.all) func whatWasSentArrivesBeforeTheEnd(_ kind: TransportKind) async throws {
    let (here, there) = try await kind.makePair()
    _ = try here.sendNow([7])
    here.close()
    #expect(try there.receiveAll() == [7])
    #expect(try there.receiveNow() == ([], true), "the end stays the end")
    #expect(try here.receiveNow() == ([], true))
  }

  @Test(arguments: TransportKind.all) func nothingIsSentAfterTheEnd(_ kind: TransportKind) async throws {
    let (here, there) = try await kind.makePair()
    here.close()
    here.close()
    for end in kind.refusesAtOnce ? [here, there] : [here] {
      #expect(throws: TransportError(.closed, peer: end.peer)) { try end.sendNow([1]) }
      let wakes = Wakes()
      end.whenSendable { wakes.arrive() }
      end.whenReceivable { wakes.arrive() }
      #expect(wakes.count == 2, "nobody waits for a stream that has ended")
    }
  }

  @Test(arguments: TransportKind.all) func theEndWakesEverybody(_ kind: TransportKind) async throws {
    let (here, there) = try await kind.makePair()
    _ = try here.sendNow([UInt8](repeating: 5, count: kind.moreThanItHolds))
    let (room, bytes) = (Wakes(), Wakes())
    here.whenSendable { room.arrive() }
    here.whenReceivable { bytes.arrive() }
    #expect(bytes.count == 0)
    there.close()
    #expect(room.come())
    #expect(bytes.come())
  }

  @Test(arguments: TransportKind.all) func anEndThatIsDroppedIsClosed(_ kind: TransportKind) async throws {
    let here = try await kind.makePair().0
    #expect(try here.receiveAll().isEmpty)
  }
}
