import SystemPackage
import Testing
import VaultCrypto
import VaultModel
import VaultSession
import VaultSystem

/// Peers that a listener lets in, and peers that it does not: each costs one line of the log, and the port keeps serving others.
@Suite(.timeLimit(.minutes(1))) struct TLSListenerTests {
  private let fixture = TLSFixture()

  private func refusal() async throws -> String { try await fixture.refusal() }

  private func failure(
    _ listener: TLSListener, as identity: PeerIdentity = TLSFixture.identity, secret: [UInt8] = TLSFixture.secret
  ) async -> String {
    await fixture.failure { try await fixture.dial(listener, as: identity, secret: secret) }
  }

  @Test func aPeerIsKnownByItsIdentity() async throws {
    let listener = try fixture.listen()
    async let accepted = listener.accept()
    let dialled = try await fixture.dial(listener)
    let transport = try #require(await accepted)
    #expect(transport.peerIdentity.flatMap { PeerIdentity($0) } == TLSFixture.identity)
    #expect(dialled.peerIdentity == nil)
    #expect(dialled.peer == listener.addresses.first?.text)
  }

  @Test func aWrongKeyAndAnUnknownNameLookTheSameToThePeer() async throws {
    let listener = try fixture.listen()
    let wrongKey = await failure(listener, secret: Array(repeating: 8, count: 32))
    #expect(try await refusal() == expected(.wrongKey, listener))
    let other = TLSFixture()
    let second = try other.listen()
    let unknown = PeerIdentity(dialler: .console, "nobody", listener: .director, "main dir")
    let unknownName = await failure(second, as: unknown)
    let logged = try await other.refusal()
    #expect(logged.contains(TLSFailure.unknownIdentity(unknown.text).description))
    #expect(wrongKey.contains(TLSFailure.refused.description))
    #expect(unknownName.contains(TLSFailure.refused.description))
  }

  private func expected(_ failure: TLSFailure, _ listener: TLSListener) throws -> String {
    let reason = fixture.refusals.withLock { $0.first?.reason ?? "" }
    #expect(reason.hasSuffix(failure.description))
    return reason
  }

  @Test func aPeerWithoutTLSIsTurnedAwayAndOthersAreServed() async throws {
    let listener = try fixture.listen()
    let address = try #require(listener.addresses.first)
    let socket = try StreamSocket.connect(to: address)
    let wakeUp = try WakeUp()
    #expect(StreamSocket.wait(socket.rawValue, or: wakeUp, for: .writable, milliseconds: 10_000))
    try Array("Hello console ops calling vault/0 =\n".utf8).withUnsafeBytes { try socket.writeAll($0) }
    #expect(try await refusal().hasSuffix(TLSFailure.notTLS.description))
    async let accepted = listener.accept()
    let dialled = try await fixture.dial(listener)
    #expect(await accepted != nil)
    withExtendedLifetime(dialled) {}
  }

  @Test func aSilentPeerDoesNotStayForLong() async throws {
    var limits = TLSListener.Limits()
    limits.handshakeNanoseconds = 50_000_000
    let listener = try fixture.listen(limits: limits)
    let socket = try StreamSocket.connect(to: try #require(listener.addresses.first))
    #expect(try await refusal().contains("did not answer"))
    withExtendedLifetime(socket) {}
  }

  @Test func onlySoManyConnectionsAreTaken() async throws {
    var limits = TLSListener.Limits()
    limits.connectionsPerAddress = 2
    let listener = try fixture.listen(limits: limits)
    var open: [TLSTransport] = []
    for _ in 0..<2 { open.append(try await fixture.dial(listener)) }
    #expect(await failure(listener) != "let in")
    #expect(try await refusal().contains("Too many connections"))
    // One that ends makes room.
    for transport in open { transport.close() }
    for _ in 0..<2 { await listener.accept()?.close() }
    let again = try await fixture.dial(listener)
    #expect(await listener.accept() != nil)
    again.close()
  }

  @Test func nobodyListens() async throws {
    let listener = try fixture.listen()
    let address = try #require(listener.addresses.first)
    listener.close()
    // Another test's listener may have the port by now: it must not let this one in.
    await #expect(throws: TransportError.self) {
      try await TLSDialler(poller: fixture.poller, context: fixture.context).dial(
        host: address.host, port: address.port, identity: TLSFixture.identity, secret: pattern(32, seed: 9))
    }
    #expect(await listener.accept() == nil)
  }

  @Test(arguments: [
    "", "1", "2 control console a director b", "1 control console a director", "1 control console a director b c",
    "1 job x file-daemon a storage-daemon b", "1 control console %41 director b", "1 control robot a director b",
    "1 control console a%GG director b", "1  control console a director b",
  ])
  func whatIsNoIdentity(_ text: String) {
    #expect(PeerIdentity(ByteString(text)) == nil)
  }

  @Test func identitiesGoThereAndBack() {
    let identities = [
      TLSFixture.identity,
      PeerIdentity(purpose: .job(.random()), dialler: .fileDaemon, "ä 1%=", listener: .storageDaemon, "sd"),
    ]
    for identity in identities { #expect(PeerIdentity(ByteString(identity.text)) == identity) }
    #expect(TLSFixture.identity.text == "1 control console ops director main%20dir")
  }
}
