import Testing
import VaultModel
import VaultProtocol
import VaultSession

/// Frames out of bytes that arrive in any pieces, for tasks and for threads.
@Suite(.timeLimit(.minutes(1))) struct ChannelFrameTests {
  @Test(arguments: TransportKind.all, Waiting.allCases)
  func framesFollowLinesAndLinesFrames(_ kind: TransportKind, _ waiting: Waiting) async throws {
    let (channel, peer) = try await channel(over: kind)
    let long = pattern(100_000)
    try feed(
      bytes("append data = 1\n") + frame(.recordGroup, long) + frame(.endOfData, [])
        + bytes("append end session = 1\n") + frame(.progress, [0x0a]),
      to: peer)
    #expect(try await channel.line(waiting)?.verb == "append data")
    let first = try await channel.frame(waiting)
    #expect(first.kind == .recordGroup && first.payload == long)
    let second = try await channel.frame(waiting)
    #expect(second.kind == .endOfData && second.payload.isEmpty)
    #expect(try await channel.line(waiting)?.verb == "append end session")
    #expect(try await channel.frame(waiting).payload == [0x0a])
  }

  @Test(arguments: Waiting.allCases) func theLongestFrameFits(_ waiting: Waiting) async throws {
    let payload = pattern(FrameHeader.payloadLimit)
    let (here, there) = PipeTransport.pair(capacity: 1 << 20)
    let (sender, receiver) = (Channel(here), Channel(there))
    async let sent: Void = sender.sendFrame(.state, payload)
    let received = try await receiver.frame(waiting)
    #expect(received.kind == .state && received.payload == payload)
    try await sent
  }

  @Test(arguments: Waiting.allCases) func aLongerOneIsNotSent(_ waiting: Waiting) async throws {
    let (here, there) = PipeTransport.pair()
    let channel = Channel(here)
    let payload = [UInt8](repeating: 0, count: FrameHeader.payloadLimit + 1)
    let failure = await transportFailure {
      switch waiting {
      case .task: try await channel.sendFrame(.state, payload)
      case .thread: try payload.withUnsafeBytes { try channel.sendFrameBlocking(.state, $0) }
      }
    }
    #expect(failure == .tooLarge(payload.count))
    #expect(try there.receiveNow().bytes.isEmpty)
  }

  @Test(
    arguments: [
      [0x01, 0x00, 0x20, 0x00, 2],  // one byte more than 2 MiB
      [0xff, 0xff, 0xff, 0xff, 2],
      [0x00, 0x00, 0x00, 0x00, 0],
      [0x00, 0x00, 0x00, 0x00, 255],
    ], Waiting.allCases)
  func whatIsNoFrameIsRefused(_ header: [UInt8], _ waiting: Waiting) async throws {
    let (channel, peer) = try await channel(over: TransportKind.all[0])
    try feed(header, to: peer)
    let failure = await transportFailure { try await channel.frame(waiting) }
    #expect(failure?.isMalformed == true)
  }

  @Test(arguments: TransportKind.all, Waiting.allCases)
  func theEndInsideAFrameIsAnError(_ kind: TransportKind, _ waiting: Waiting) async throws {
    let whole = frame(.commit, [1, 2, 3])
    for count in 0..<whole.count {
      let (channel, peer) = try await channel(over: kind)
      try feed(Array(whole[..<count]), to: peer, andEnd: true)
      let failure = await transportFailure { try await channel.frame(waiting) }
      #expect(failure == .closed, "\(count) bytes of a frame")
    }
  }

  @Test func aLineMayBringItsFrame() async throws {
    let (channel, peer) = try await channel(over: TransportKind.all[0])
    try feed(bytes("2000 OK\n"), to: peer)
    try await channel.request(ControlLine("backup"), frame: (.paths, [9]), expecting: .fileDaemonOK)
    #expect(try peer.receiveNow().bytes == bytes("backup\n") + frame(.paths, [9]))
  }
}
