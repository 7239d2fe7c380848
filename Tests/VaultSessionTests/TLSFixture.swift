import Synchronization
import Testing
import VaultCrypto
import VaultModel
import VaultSession
import VaultSystem

/// Listeners and diallers over loopback that know each other's keys.
final class TLSFixture: Sendable {
  static let shared = TLSFixture()

  static let secret = Array(repeating: UInt8(7), count: 32)
  static let identity = PeerIdentity(dialler: .console, "ops", listener: .director, "main dir")

  let poller: Poller
  let context: TLSContext
  let refusals = Mutex<[TLSListener.Refusal]>([])
  let refused = Wakes()

  init() {
    do {
      poller = try Poller()
      context = try TLSContext()
    } catch {
      fatalError("\(error)")
    }
  }

  deinit { poller.close() }

  func listen(
    _ host: String = "127.0.0.1", limits: TLSListener.Limits = .init(), certificates: TLSCertificates? = nil,
    role: PeerRole? = nil, identity known: PeerIdentity = TLSFixture.identity
  ) throws -> TLSListener {
    try TLSListener(
      addresses: SocketAddress.resolve(host: host, port: 0), poller: poller,
      context: try certificates.map { try TLSContext(certificates: $0) } ?? context, limits: limits, role: role,
      onRefusal: { [self] in note($0) },
      key: { identity in
        guard identity == known else { return nil }
        return try? PresharedKey.derive(secret: Self.secret, identity: Array(identity.text.utf8))
      })
  }

  func note(_ refusal: TLSListener.Refusal) {
    refusals.withLock { $0.append(refusal) }
    refused.arrive()
  }

  /// The listeners' first word on a peer that was turned away.
  func refusal() async throws -> String {
    try await onThread(name: "refusal") { [self] in
      #expect(refused.come())
      return refusals.withLock { $0.first?.reason ?? "" }
    }
  }

  func dial(
    _ listener: TLSListener, as identity: PeerIdentity = TLSFixture.identity, secret: [UInt8] = TLSFixture.secret
  ) async throws -> TLSTransport {
    let address = try #require(listener.addresses.first)
    return try await TLSDialler(poller: poller, context: context)
      .dial(host: address.host, port: address.port, identity: identity, secret: secret)
  }

  /// Dials with a certificate.
  func dial(
    _ listener: TLSListener, showing certificates: TLSCertificates, host: String? = nil, name: String = "main dir",
    allowedNames: [ByteString] = []
  ) async throws -> TLSTransport {
    let address = try #require(listener.addresses.first)
    return try await TLSDialler(poller: poller, context: try TLSContext(certificates: certificates))
      .dial(host: host ?? address.host, port: address.port, listenerName: name, allowedNames: allowedNames)
  }

  /// What a dialler is told that must be turned away, now or with the first bytes.
  func failure(_ dial: () async throws -> TLSTransport) async -> String {
    do {
      let transport = try await dial()
      // The listener's verdict may come with the first bytes.
      let bytes = try await onThread(name: "receive") { try transport.receiveAll() }
      return "let in, \(bytes.count) bytes"
    } catch {
      return "\(error)"
    }
  }

  /// Whether a listener serves a peer that it knows.
  func serves(_ listener: TLSListener) async throws -> Bool {
    async let accepted = listener.accept()
    let dialled = try await dial(listener)
    let transport = await accepted
    dialled.close()
    return transport?.peerIdentity.flatMap { PeerIdentity($0) } == Self.identity
  }

  /// Two connected ends.
  func makePair(_ host: String = "127.0.0.1") async throws -> (any Transport, any Transport) {
    let listener = try listen(host)
    async let accepted = listener.accept()
    let dialled = try await dial(listener)
    return (dialled, try #require(await accepted))
  }

  /// Two connected ends that go on without encryption.
  func makePlainPair(_ host: String) async throws -> (any Transport, any Transport) {
    let pair = try await makePair(host)
    pair.0.leaveTLS()
    pair.1.leaveTLS()
    return pair
  }
}
