import Testing
import VaultSession
import VaultSystem

/// What every transport owes; a new kind is added to `TransportKind.all`.
@Suite(.timeLimit(.minutes(1))) struct TransportConformanceTests {
  @Test(arguments: TransportKind.all) func bytesArriveInOrder(_ kind: TransportKind) throws {
    let (here, there) = kind.makePair()
    let bytes = pattern(10_000)
    let sender = try WorkerThread(name: "sender") {
      try? here.sendAll(bytes)
      here.close()
    }
    #expect(try there.receiveAll(limit: 13) == bytes)
    sender.join()
  }

  @Test(arguments: TransportKind.all) func bothDirectionsAreApart(_ kind: TransportKind) throws {
    let (here, there) = kind.makePair()
    #expect(try here.sendNow([1]) == 1)
    #expect(try there.sendNow([2]) == 1)
    #expect(try here.receiveNow().bytes == [2])
    #expect(try there.receiveNow().bytes == [1])
  }

  @Test(arguments: TransportKind.all) func nothingThereIsNotTheEnd(_ kind: TransportKind) throws {
    let (here, there) = kind.makePair()
    let (bytes, isAtEnd) = try here.receiveNow()
    #expect(bytes.isEmpty && !isAtEnd)
    withExtendedLifetime(there) {}
  }

  @Test(arguments: TransportKind.all) func aReceiverIsWokenOnce(_ kind: TransportKind) throws {
    let (here, there) = kind.makePair()
    let wakes = Wakes()
    there.whenReceivable { wakes.arrive() }
    #expect(wakes.count == 0)
    _ = try here.sendNow([1])
    #expect(wakes.come())
    _ = try there.receiveNow()
    _ = try here.sendNow([2])
    #expect(wakes.count == 1)
    let again = Wakes()
    there.whenReceivable { again.arrive() }
    #expect(again.come())
  }

  @Test(arguments: TransportKind.all) func aSenderIsWokenWhenAllWasTaken(_ kind: TransportKind) throws {
    let (here, there) = kind.makePair()
    let wakes = Wakes()
    here.whenSendable { wakes.arrive() }
    #expect(wakes.come(), "there is room at the beginning")
    let bytes = pattern(1 << 20)
    let taken = try here.sendNow(bytes)
    #expect(taken < bytes.count, "what a transport holds is bounded")
    let room = Wakes()
    here.whenSendable { room.arrive() }
    #expect(room.count == 0)
    #expect(try there.receiveNow().bytes == Array(bytes[..<taken]))
    #expect(room.come())
    #expect(try here.sendNow([1]) == 1)
  }

  @Test(arguments: TransportKind.all) func whatWasSentArrivesBeforeTheEnd(_ kind: TransportKind) throws {
    let (here, there) = kind.makePair()
    _ = try here.sendNow([7])
    here.close()
    #expect(try there.receiveNow() == ([7], true))
    #expect(try there.receiveNow() == ([], true), "the end stays the end")
    #expect(try here.receiveNow() == ([], true))
  }

  @Test(arguments: TransportKind.all) func nothingIsSentAfterTheEnd(_ kind: TransportKind) throws {
    let (here, there) = kind.makePair()
    here.close()
    here.close()
    for end in [here, there] {
      #expect(throws: TransportError(.closed, peer: end.peer)) { try end.sendNow([1]) }
      let wakes = Wakes()
      end.whenSendable { wakes.arrive() }
      end.whenReceivable { wakes.arrive() }
      #expect(wakes.count == 2, "nobody waits for a stream that has ended")
    }
  }

  @Test(arguments: TransportKind.all) func theEndWakesEverybody(_ kind: TransportKind) throws {
    let (here, there) = kind.makePair()
    _ = try here.sendNow(pattern(1 << 20))
    let wakes = Wakes()
    here.whenSendable { wakes.arrive() }
    here.whenReceivable { wakes.arrive() }
    #expect(wakes.count == 0)
    there.close()
    #expect(wakes.come())
    #expect(wakes.count == 2)
  }

  @Test(arguments: TransportKind.all) func anEndThatIsDroppedIsClosed(_ kind: TransportKind) throws {
    let here = kind.makePair().0
    #expect(try here.receiveNow().isAtEnd)
  }
}
