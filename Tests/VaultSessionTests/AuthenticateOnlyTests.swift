import Synchronization
import SystemPackage
import Testing
import VaultCrypto
import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

/// TLS for the authentication only: what somebody on the way sees, and that both sides must ask for it.
@Suite(.timeLimit(.minutes(1))) struct AuthenticateOnlyTests {
  private let fixture = TLSFixture()
  private let director = Hello(role: .director, name: "main dir")

  private func console(leavesTLS: Bool) -> Hello { Hello(role: .console, name: "ops", leavesTLS: leavesTLS) }

  /// Both ends of a connection through a relay, after the hello.
  private func connect(
    through relay: Relay, _ listener: TLSListener, leavesTLS: Bool
  ) async throws -> (dialler: Channel, listener: Channel) {
    async let accepted = listener.accept()
    let transport = try await TLSDialler(poller: fixture.poller, context: fixture.context).dial(
      host: relay.address.host, port: relay.address.port, identity: TLSFixture.identity, secret: TLSFixture.secret)
    let (dialler, other) = (Channel(transport), Channel(try #require(await accepted)))
    async let answered = director.answer(other, allowing: [.console]) { _ in PeerTerms(leavesTLS: leavesTLS) }
    try await console(leavesTLS: leavesTLS).dial(dialler, expecting: .director)
    #expect(try await answered?.name == "ops")
    return (dialler, other)
  }

  @Test(arguments: [true, false]) func whatIsSeenOnTheWay(_ leavesTLS: Bool) async throws {
    let listener = try fixture.listen()
    let relay = try Relay(to: try #require(listener.addresses.first))
    let (dialler, other) = try await connect(through: relay, listener, leavesTLS: leavesTLS)
    // The listener may speak first, and both at once.
    try await other.sendLine(ControlLine("from the listener"))
    try await dialler.sendLine(ControlLine("from the dialler"))
    #expect(try await dialler.receiveLine()?.verb == "from the listener")
    #expect(try await other.receiveLine()?.verb == "from the dialler")
    dialler.close()
    #expect(try await other.receiveLine() == nil)
    other.close()
    let seen = await relay.end()
    for text in ["from the listener\n", "from the dialler\n"] { #expect(seen.contains(text) == leavesTLS, "\(text)") }
    for text in ["Hello", "1000 OK"] { #expect(!seen.contains(text), "\(text)") }
  }

  @Test(arguments: [true, false]) func oneSideOnlyIsRefused(_ dialler: Bool) async throws {
    let listener = try fixture.listen()
    let relay = try Relay(to: try #require(listener.addresses.first))
    async let accepted = listener.accept()
    let transport = try await TLSDialler(poller: fixture.poller, context: fixture.context).dial(
      host: relay.address.host, port: relay.address.port, identity: TLSFixture.identity, secret: TLSFixture.secret)
    let other = Channel(try #require(await accepted))
    async let answered = director.answer(other, allowing: [.console]) { _ in PeerTerms(leavesTLS: !dialler) }
    let told = await #expect(throws: PeerRefusal.self) {
      try await console(leavesTLS: dialler).dial(Channel(transport), expecting: .director)
    }
    #expect(told?.code == .directorRefused)
    #expect(told?.description.contains("TLS Authenticate Only must be the same on both sides") == true)
    do {
      _ = try await answered
      Issue.record("The peer was let in.")
    } catch { #expect(error as? HelloRefusal == .encryption(leavesDialler: dialler)) }
    transport.close()
    other.close()
    #expect(await !relay.end().contains("Authenticate"), "a refusal is encrypted")
  }

  /// A listener of before this was agreed on answers without the field.
  @Test func anAnswerWithoutTheFieldIsNone() async throws {
    let (here, there) = PipeTransport.pair()
    try there.sendAll(bytes("1000 OK Hello = version=0 features=1\n"))
    await #expect(throws: HelloRefusal.encryption(leavesDialler: true)) {
      try await console(leavesTLS: true).dial(Channel(here), expecting: .director)
    }
  }

  @Test func theFieldIsTheProtocols() throws {
    let line = console(leavesTLS: true).line
    #expect(
      line.encoded() == bytes("Hello = console ops calling vault/\(Hello.version) features=7 tls=authenticate-only\n"))
    #expect(try Hello(line).leavesTLS)
    let other = bytes("Hello = console ops calling vault/1 features=1 tls=off")
    #expect(throws: ControlError.self) { try Hello(other.withUnsafeBytes { try ControlLine(decoding: $0) }) }
    #expect(Hello.warning(leavingTLSWith: "Client web1-fd").contains("Client web1-fd"))
  }
}

/// Somebody on the way between a dialler and a listener, who writes down what passes.
private final class Relay: Sendable {
  let address: SocketAddress
  private let seen = Mutex<[UInt8]>([])
  private let wakeUp: WakeUp
  private let ended = Wakes()

  init(to listener: SocketAddress) throws {
    let socket = try StreamSocket.listen(on: try #require(SocketAddress.resolve(host: "127.0.0.1", port: 0).first))
    address = try #require(StreamSocket.localAddress(of: socket.rawValue))
    let wakeUp = try WakeUp()
    self.wakeUp = wakeUp
    try WorkerThread(name: "relay") { [self] in
      defer { ended.arrive() }
      guard StreamSocket.wait(socket.rawValue, or: wakeUp, for: .readable, milliseconds: -1),
        let accepted = try? StreamSocket.accept(socket.rawValue)?.take(),
        let forwarded = try? StreamSocket.connect(to: listener)
      else { return }
      let (near, far) = (accepted.rawValue, forwarded.rawValue)
      let back = try? WorkerThread(name: "relay-back") { [self] in pass(from: far, to: near) }
      pass(from: near, to: far)
      back?.join()
    }.detach()
  }

  private func pass(from source: Int32, to target: Int32) {
    var chunk = [UInt8](repeating: 0, count: 4096)
    while StreamSocket.wait(source, or: wakeUp, for: .readable, milliseconds: -1) {
      guard let count = try? chunk.withUnsafeMutableBytes({ try StreamSocket.receive(source, into: $0) }), count > 0
      else { break }
      seen.withLock { $0 += chunk[..<count] }
      var done = 0
      while done < count, StreamSocket.wait(target, or: wakeUp, for: .writable, milliseconds: -1) {
        let sent = chunk[done..<count].withUnsafeBytes { try? StreamSocket.send(target, $0) }
        guard let sent else { return }
        done += sent
      }
    }
    StreamSocket.endSending(target)
  }

  /// Everything that passed, once both sides have ended, with other bytes than letters shown as they are.
  func end() async -> String {
    _ = try? await onThread(name: "relay-end") { self.ended.come() }
    return seen.withLock { String(decoding: $0, as: UTF8.self) }
  }
}
