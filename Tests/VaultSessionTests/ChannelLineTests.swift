import Testing
import VaultModel
import VaultProtocol
import VaultSession

/// Lines out of bytes that arrive in any pieces, for tasks and for threads.
@Suite(.timeLimit(.minutes(1))) struct ChannelLineTests {
  @Test(arguments: TransportKind.all, Waiting.allCases)
  func linesComeOneByOne(_ kind: TransportKind, _ waiting: Waiting) async throws {
    let (channel, peer) = try await channel(over: kind)
    try feed(bytes("noop\r\nread data = 3 > 0.17\n\nappend open session = a%20b attempt=2\n"), to: peer)
    #expect(try await channel.line(waiting) == ControlLine("noop"))
    #expect(try await channel.line(waiting) == ControlLine("read data", words: ["3", ">", "0.17"]))
    #expect(try await channel.line(waiting) == ControlLine(""))
    #expect(
      try await channel.line(waiting)
        == ControlLine("append open session", words: ["a b"], fields: [.init(key: "attempt", value: "2")]))
  }

  @Test(arguments: TransportKind.all) func whatIsSentArrives(_ kind: TransportKind) async throws {
    let (here, there) = try await kind.makePair()
    let (sender, receiver) = (Channel(here), Channel(there))
    let lines = (0..<50).map { ControlLine("line", words: [ByteString(pattern($0 * 7 + 1))]) }
    async let sent: Void = {
      for line in lines { try await sender.sendLine(line) }
      sender.close()
    }()
    var received: [ControlLine] = []
    while let line = try await receiver.receiveLine() { received.append(line) }
    #expect(received == lines)
    try await sent
  }

  @Test(arguments: [TransportKind.all[0], TransportKind.all[3]], Waiting.allCases)
  func theLongestLineFits(_ kind: TransportKind, _ waiting: Waiting) async throws {
    let word = [UInt8](repeating: 0x61, count: ControlLine.byteLimit - 5)
    let (channel, peer) = try await channel(over: kind)
    try feed(bytes("x = ") + word + bytes("\n") + bytes("noop\n"), to: peer)
    #expect(try await channel.line(waiting)?.words == [ByteString(word)])
    #expect(try await channel.line(waiting) == ControlLine("noop"))
  }

  @Test(arguments: [TransportKind.all[0], TransportKind.all[3]], Waiting.allCases)
  func aLongerOneIsRefused(_ kind: TransportKind, _ waiting: Waiting) async throws {
    let (channel, peer) = try await channel(over: kind)
    try feed([UInt8](repeating: 0x61, count: ControlLine.byteLimit), to: peer)
    for _ in 0..<2 {
      let failure = await transportFailure { try await channel.line(waiting) }
      #expect(failure?.isMalformed == true)
    }
  }

  @Test(arguments: Waiting.allCases) func aLineThatIsTooLongIsNotSent(_ waiting: Waiting) async throws {
    let (here, there) = PipeTransport.pair()
    let channel = Channel(here)
    let line = ControlLine("x", words: [ByteString([UInt8](repeating: 0xff, count: ControlLine.byteLimit / 3))])
    await #expect(throws: ControlError(.lineTooLong, line: "x")) {
      switch waiting {
      case .task: try await channel.sendLine(line)
      case .thread: try channel.sendLineBlocking(line)
      }
    }
    #expect(try there.receiveNow().bytes.isEmpty)
  }

  @Test(arguments: ["no\u{0}op\n", "no\top\n", "noöp\n", "x = %\n", "x = %2\n", "x = %zz\n", "x = a%4\n", "x = k=%4\n"])
  func whatIsNoLineIsRefused(_ text: String) async throws {
    for waiting in Waiting.allCases {
      let (channel, peer) = try await channel(over: TransportKind.all[0])
      try feed(bytes(text), to: peer)
      let failure = await transportFailure { try await channel.line(waiting) }
      #expect(failure?.isMalformed == true)
    }
  }

  @Test(arguments: TransportKind.all) func theEndBetweenLinesIsNoError(_ kind: TransportKind) async throws {
    let (channel, peer) = try await channel(over: kind)
    try feed(bytes("noop\n"), to: peer, andEnd: true)
    #expect(try await channel.receiveLine() == ControlLine("noop"))
    #expect(try await channel.receiveLine() == nil)
    #expect(try await channel.receiveLine() == nil)
  }

  @Test(arguments: TransportKind.all) func aThreadIsToldOfTheEnd(_ kind: TransportKind) async throws {
    let (channel, peer) = try await channel(over: kind)
    try feed([], to: peer, andEnd: true)
    let failure = await transportFailure { try await channel.line(.thread) }
    #expect(failure == .closed)
  }

  @Test(arguments: TransportKind.all, Waiting.allCases)
  func theEndInsideALineIsAnError(_ kind: TransportKind, _ waiting: Waiting) async throws {
    let (channel, peer) = try await channel(over: kind)
    try feed(bytes("noo"), to: peer, andEnd: true)
    let failure = await transportFailure { try await channel.line(waiting) }
    #expect(failure == .closed)
  }

  @Test func repliesAndRefusals() async throws {
    let (channel, peer) = try await channel(over: TransportKind.all[0])
    try feed(bytes("3000 OK = ticket=4\n3502 Failed = status=5 reason=busy%20now\nhello\n"), to: peer)
    let reply = try await channel.request(ControlLine("noop"), expecting: .storageOK)
    #expect(reply.line["ticket"] == "4")
    let refusal = PeerRefusal(
      Reply(.volumeBusy, "Failed", fields: [.init(key: "status", value: "5"), .init(key: "reason", value: "busy now")]))
    await #expect(throws: refusal) { try await channel.request(ControlLine("noop"), expecting: .storageOK) }
    let failure = await transportFailure { try await channel.receiveReply() }
    #expect(failure?.isMalformed == true)
    #expect(try peer.receiveNow().bytes == bytes("noop\nnoop\n"))
  }
}
