import Synchronization
import SystemPackage
import Testing
import VaultCrypto
import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

/// Peers of other programs, and more peers than there is room for: what each side says, and that others are served.
@Suite(.timeLimit(.minutes(1))) struct TLSRefusalTests {
  private let fixture = TLSFixture()

  private func port(_ listener: TLSListener) throws -> UInt16 { try #require(listener.addresses.first).port }

  // MARK: Other programs

  @Test func anotherProgramWithTheKeyIsServed() async throws {
    let listener = try fixture.listen()
    let key = try PresharedKey.derive(secret: TLSFixture.secret, identity: Array(TLSFixture.identity.text.utf8))
    let digits = key.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    let hello = Hello(role: .console, name: "ops")
    let line = String(decoding: hello.line.encoded().dropLast(), as: UTF8.self)
    async let answered = answerOnce(listener)
    let told = try await output(
      of: "echo '\(line)' | openssl s_client -connect 127.0.0.1:\(port(listener)) -quiet -psk \(digits)"
        + " -psk_identity '\(TLSFixture.identity.text)' -ciphersuites TLS_AES_128_GCM_SHA256")
    #expect(told.contains("1000 OK Hello = version=\(Hello.version) features=7"))
    #expect(try await answered == hello)
  }

  private func answerOnce(_ listener: TLSListener) async throws -> Hello? {
    let channel = Channel(try #require(await listener.accept()))
    defer { channel.close() }
    return try await Hello(role: .director, name: "main dir").answer(channel, allowing: [.console])
  }

  @Test func anOlderTLSIsTold() async throws {
    let listener = try fixture.listen()
    let told = try await output(of: "openssl s_client -connect 127.0.0.1:\(port(listener)) -tls1_2 </dev/null")
    #expect(told.contains("alert protocol version"))
    #expect(try await fixture.refusal().hasSuffix(TLSFailure.otherVersion.description))
    #expect(try await fixture.serves(listener))
  }

  @Test func nothingToGoByIsTold() async throws {
    let listener = try fixture.listen()
    _ = try await output(of: "openssl s_client -connect 127.0.0.1:\(port(listener)) </dev/null")
    #expect(try await fixture.refusal().hasSuffix(TLSFailure.noKeyOffered.description))
    #expect(try await fixture.serves(listener))
  }

  @Test func anUnknownNameIsInTheLog() async throws {
    let listener = try fixture.listen()
    let key = String(repeating: "07", count: 32)
    _ = try await output(
      of: "openssl s_client -connect 127.0.0.1:\(port(listener)) -psk \(key) -psk_identity 'no\nbody'"
        + " -ciphersuites TLS_AES_128_GCM_SHA256 </dev/null")
    let reason = try await fixture.refusal()
    #expect(reason.hasSuffix(TLSFailure.unknownIdentity("no\\nbody").description))
    #expect(!reason.contains(key))
    #expect(try await fixture.serves(listener))
  }

  /// A dialler is told what answers in the listener's place.
  @Test(arguments: [("220 mail.example.org ESMTP\r\n", TLSFailure.notTLS)])
  func aDiallerMeetsWhatSpeaksNoTLS(_ greeting: String, _ cause: TLSFailure) async throws {
    let socket = try StreamSocket.listen(on: try #require(SocketAddress.resolve(host: "::1", port: 0).first))
    let address = try #require(StreamSocket.localAddress(of: socket.rawValue))
    let wakeUp = try WakeUp()
    let server = try WorkerThread(name: "greeter") {
      _ = StreamSocket.wait(socket.rawValue, or: wakeUp, for: .readable, milliseconds: -1)
      guard let accepted = try? StreamSocket.accept(socket.rawValue)?.take() else { return }
      try? Array(greeting.utf8).withUnsafeBytes { try accepted.writeAll($0) }
      // Until the dialler ends it: bytes that nobody takes would cost it the greeting.
      let number = accepted.rawValue
      while StreamSocket.wait(number, or: wakeUp, for: .readable, milliseconds: -1), StreamSocket.discard(number) {}
    }
    let told = await fixture.failure {
      try await TLSDialler(poller: fixture.poller, context: fixture.context).dial(
        host: address.host, port: address.port, identity: TLSFixture.identity, secret: TLSFixture.secret)
    }
    wakeUp.signal()
    server.join()
    #expect(told.hasSuffix(cause.description))
  }

  @Test func aSilentListenerIsGivenUp() async throws {
    let socket = try StreamSocket.listen(on: try #require(SocketAddress.resolve(host: "127.0.0.1", port: 0).first))
    let address = try #require(StreamSocket.localAddress(of: socket.rawValue))
    let dialler = TLSDialler(poller: fixture.poller, context: fixture.context, limitNanoseconds: 50_000_000)
    let told = await fixture.failure {
      try await dialler.dial(
        host: address.host, port: address.port, identity: TLSFixture.identity, secret: TLSFixture.secret)
    }
    #expect(told.contains("did not answer"))
    withExtendedLifetime(socket.rawValue) {}
  }

  // MARK: Limits

  private func limits(_ count: Int = 1, surplus: Int = 16) -> TLSListener.Limits {
    var limits = TLSListener.Limits()
    limits.connections = count
    limits.surplusConnections = surplus
    // Nobody is given up while a test runs.
    limits.surplusNanoseconds = 60_000_000_000
    return limits
  }

  private func hello(_ transport: TLSTransport) async throws {
    try await Hello(role: .console, name: "ops").dial(Channel(transport), expecting: .director)
  }

  @Test(arguments: ["127.0.0.1", "::1"]) func oneMoreIsToldTheLimit(_ host: String) async throws {
    let listener = try fixture.listen(host, limits: limits(), role: .director)
    let first = try await fixture.dial(listener)
    for _ in 0..<40 {
      let refusal = await #expect(throws: PeerRefusal.self) { try await hello(try await fixture.dial(listener)) }
      #expect(refusal?.code == .directorBusy && refusal?.exitStatus == .unreachable)
      #expect(refusal?.description == "Too many connections are open: 1 are allowed (Maximum Connections).")
    }
    #expect(try await fixture.refusal().contains("Maximum Connections"))
    #expect(fixture.refusals.withLock { $0.count } == 40)
    // The one that was admitted is served.
    async let answered = answerOnce(listener)
    try await hello(first)
    #expect(try await answered?.name == "ops")
  }

  @Test func anAddressHasALimitOfItsOwn() async throws {
    var limits = limits(10)
    limits.connectionsPerAddress = 1
    let listener = try fixture.listen(limits: limits, role: .storageDaemon)
    let first = try await fixture.dial(listener)
    let channel = Channel(try await fixture.dial(listener))
    try await channel.sendLine(ControlLine("noop"))
    let reply = try await channel.receiveReply()
    #expect(reply.code == .storageBusy)
    #expect(
      reply.line["reason"]?.text?.contains("1 from one address are allowed (Maximum Connections Per Address)") == true)
    first.close()
  }

  @Test func onlySoManyAreTold() async throws {
    let listener = try fixture.listen(limits: limits(surplus: 2), role: .director)
    let first = try await fixture.dial(listener)
    // Two that never shake hands take both places, and the third ends without a word.
    let address = try #require(listener.addresses.first)
    let silent = [try Connected(address), try Connected(address)]
    for _ in 0..<20 {
      let third = try Connected(address)
      #expect(try await onThread(name: "end") { third.waitForEnd() })
    }
    let reasons = fixture.refusals.withLock { $0.map(\.reason) }
    #expect(reasons.count == 3, "those without a word share a line")
    #expect(reasons.last?.contains("closed without a word") == true)
    withExtendedLifetime(silent) {}
    first.close()
  }

  // MARK: Leaks

  @Test func failedHandshakesLeaveNothingBehind() async throws {
    let listener = try fixture.listen()
    let address = try #require(listener.addresses.first)
    for number in 0..<200 {
      switch number % 4 {
      case 0: _ = await fixture.failure { try await fixture.dial(listener, secret: pattern(32)) }
      case 1: _ = try Connected(address)
      case 2: try Connected(address).send("Hello = console ops calling vault/0 features=1\n")
      default:
        let unknown = PeerIdentity(dialler: .console, "nobody", listener: .director, "main dir")
        _ = await fixture.failure { try await fixture.dial(listener, as: unknown) }
      }
    }
    #expect(try await fixture.serves(listener))
    // What lingers for the peer's last bytes goes on its own.
    while openSockets(at: address.port) > 1 { try await nextTick() }
    #expect(openSockets(at: address.port) == 1, "the listening one")
    #expect(fixture.refusals.withLock { $0.count } == 200)
  }

  /// Lets a hundredth of a second pass.
  private func nextTick() async throws {
    await withCheckedContinuation { continuation in
      _ = fixture.poller.after(nanoseconds: 10_000_000) { continuation.resume() }
    }
  }

  /// How many of this process's sockets have a port.
  private func openSockets(at port: UInt16) -> Int {
    (0..<Int32(4096)).count { StreamSocket.localAddress(of: $0)?.port == port }
  }
}

/// A bare TCP connection.
private final class Connected: Sendable {
  private let socket: Descriptor
  private let wakeUp: WakeUp

  init(_ address: SocketAddress) throws {
    socket = try StreamSocket.connect(to: address)
    wakeUp = try WakeUp()
    try #require(StreamSocket.wait(socket.rawValue, or: wakeUp, for: .writable, milliseconds: 10_000))
  }

  func send(_ text: String) throws { try Array(text.utf8).withUnsafeBytes { try socket.writeAll($0) } }

  /// Whether the peer ends it.
  func waitForEnd() -> Bool {
    StreamSocket.wait(socket.rawValue, or: wakeUp, for: .readable, milliseconds: 20_000)
      && !StreamSocket.discard(socket.rawValue)
  }
}
