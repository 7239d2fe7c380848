import SystemPackage
import Testing
import VaultCrypto
import VaultModel
import VaultSession
import VaultSystem

/// Peers that a listener lets in, and peers that it does not: each costs one line of the log, and the port keeps serving others.
@Suite(.timeLimit(.minutes(1))) struct TLSListenerTests {
  private let fixture = TLSFixture()

  /// The listener's next word on a peer that it turned away.
  private func refusal() async throws -> String {
    try await onThread(name: "refusal") { [fixture] in
      #expect(fixture.refused.come())
      return fixture.refusals.withLock { $0.first?.reason ?? "" }
    }
  }

  /// A dial that must fail, with what the dialler is told.
  private func failure(
    _ listener: TLSListener, as identity: PeerIdentity = TLSFixture.identity, secret: [UInt8] = TLSFixture.secret
  ) async -> String {
    do {
      let transport = try await fixture.dial(listener, as: identity, secret: secret)
      // The listener's verdict may come with the first bytes.
      _ = try await onThread(name: "receive") { try transport.receiveAll() }
      return "let in"
    } catch {
      return "\(error)"
    }
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
    let logged = try await onThread(name: "refusal") {
      #expect(other.refused.come())
      return other.refusals.withLock { $0.first?.reason ?? "" }
    }
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
    await #expect(throws: TransportError.self) {
      try await TLSDialler(poller: fixture.poller, context: fixture.context).dial(
        host: address.host, port: address.port, identity: TLSFixture.identity, secret: TLSFixture.secret)
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

  /// RFC 5869 has no vector without salt but its third: the information and the salt empty.
  @Test func keysAreThoseOfTheStandard() throws {
    let secret = [UInt8](repeating: 0x0b, count: 22)
    let key = try PresharedKey.derive(secret: secret, identity: [])
    #expect(hex(key) == "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d")
  }

  /// Compared with Python's hashlib.scrypt(b"secret", salt=b"vault-psk-1", n=2**15, r=8, p=1, maxmem=2**26, dklen=32).
  @Test func aTypedPasswordsSecret() throws {
    #expect(
      hex(try PresharedKey.secret(password: Array("secret".utf8)))
        == "ca0e7ccfe85e9a18f46cd94ba01c0f27d0bb94df6db08c386ea485fe145f82cc")
  }

  private func hex(_ bytes: [UInt8]) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }
}
