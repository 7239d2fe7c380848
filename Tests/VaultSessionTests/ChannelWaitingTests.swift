import Testing
import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

/// Waiting ends: by bytes, by the end of the stream, by time and by cancellation.
@Suite(.timeLimit(.minutes(1))) struct ChannelWaitingTests {
  @Test func aCancelledReceiverClosesTheConversation() async throws {
    let (channel, peer) = try await channel(over: TransportKind.all[0])
    let task = Task { try await channel.receiveLine() }
    task.cancel()
    let failure = await transportFailure { try await task.value }
    #expect(failure == .cancelled)
    #expect(try peer.receiveNow().isAtEnd)
  }

  @Test func aCancelledSenderClosesTheConversation() async throws {
    let (here, there) = PipeTransport.pair(capacity: 8)
    let channel = Channel(here)
    let task = Task { try await channel.sendFrame(.progress, pattern(1000)) }
    task.cancel()
    let failure = await transportFailure { try await task.value }
    #expect(failure == .cancelled)
    #expect(try there.receiveNow().isAtEnd, "half a frame is followed by nothing")
  }

  @Test func aCancelledTaskMayWaitForTheLastWord() async throws {
    let (channel, peer) = try await channel(over: TransportKind.all[0])
    let task = Task { try await channel.receiveFrame(closingOnCancel: false) }
    task.cancel()
    try feed(frame(.jobEnd, bytes("1000 OK\n")), to: peer)
    #expect(try await task.value.kind == .jobEnd)
  }

  @Test(arguments: Waiting.allCases) func closingWakesTheReceiver(_ waiting: Waiting) async throws {
    let (channel, peer) = try await channel(over: TransportKind.all[0])
    async let failure = transportFailure { try await channel.frame(waiting) }
    channel.close()
    #expect(await failure == .closed)
    withExtendedLifetime(peer) {}
  }

  @Test func closingWakesBlockedSendersOfBothKinds() async throws {
    let (here, there) = PipeTransport.pair(capacity: 8)
    let channel = Channel(here)
    async let task = transportFailure { try await channel.sendFrame(.progress, pattern(1000)) }
    async let thread = transportFailure {
      try await onThread(name: "sender") {
        try pattern(1000).withUnsafeBytes { try channel.sendFrameBlocking(.progress, $0) }
      }
    }
    there.close()
    #expect(await task == .closed)
    #expect(await thread == .closed)
  }

  @Test func aWaitMayHaveATimeLimit() async throws {
    let (channel, peer) = try await channel(over: TransportKind.all[0])
    #expect(try await onThread(name: "wait") { try channel.waitForBytes(nanoseconds: 1_000_000) } == false)
    try feed(bytes("noop\nnoop\n"), to: peer)
    #expect(try await onThread(name: "wait") { try channel.waitForBytes(nanoseconds: 20_000_000_000) })
    _ = try await channel.receiveLine()
    #expect(try await onThread(name: "wait") { try channel.waitForBytes(nanoseconds: 0) }, "a line is in the buffer")
  }

  @Test func aListenerHearsOfBytesThatAreBufferedArriveOrEnd() async throws {
    let (channel, peer) = try await channel(over: TransportKind.all[0])
    let arriving = Wakes()
    channel.whenBytesArrive { arriving.arrive() }
    #expect(arriving.count == 0)
    try peer.sendAll(bytes("noop\ncancel\n"))
    #expect(arriving.come())
    _ = try await channel.receiveLine()
    let buffered = Wakes()
    channel.whenBytesArrive { buffered.arrive() }
    #expect(buffered.count == 1)
    _ = try await channel.receiveLine()
    let end = Wakes()
    channel.whenBytesArrive { end.arrive() }
    #expect(end.count == 0)
    peer.close()
    #expect(end.come())
  }

  @Test func handlersSendWithoutWaiting() async throws {
    let (here, there) = PipeTransport.pair(capacity: 4)
    let (channel, peer) = (Channel(here), Channel(there))
    channel.sendSoon(ControlLine("cancel"))
    #expect(try await peer.receiveLine() == ControlLine("cancel"))
    channel.sendSoon(.cancel)
    #expect(try await peer.receiveFrame().kind == .cancel)
    peer.close()
    // Nobody is there to be told: no trap, and nothing waits.
    channel.sendSoon(.cancel)
  }

  @Test func aThreadSleepsUntilTheRestOfARecordComes() async throws {
    let (sender, receiver) = try await TLSFixture.shared.makePair()
    let waiting = try #require(receiver as? any ThreadWaitingTransport)
    let (isWhole, emptyLooks) = try await onThread(name: "half a record") {
      let bytes = [UInt8](repeating: 7, count: 64 << 20)
      var sent = 0
      var received = 0
      var emptyLooks = 0
      for _ in 0..<3 {
        // The last record of what there is room for goes in part.
        while let count = try bytes[sent...].withUnsafeBytes({ try sender.send($0) }) { sent += count }
        repeat {
          let count = try receiver.receiveNow(limit: 1 << 16).bytes.count
          received += count
          if count == 0 { emptyLooks += 1 }
        } while try emptyLooks < 1000 && waiting.blockUntilReceivable(nanoseconds: 20_000_000)
      }
      return (received == sent, emptyLooks)
    }
    #expect(isWhole, "what was sent whole has come")
    #expect(emptyLooks < 100)
  }
}
