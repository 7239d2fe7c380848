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

  func listen(_ host: String = "127.0.0.1", limits: TLSListener.Limits = .init()) throws -> TLSListener {
    try TLSListener(
      addresses: SocketAddress.resolve(host: host, port: 0), poller: poller, context: context, limits: limits,
      onRefusal: { [self] refusal in
        refusals.withLock { $0.append(refusal) }
        refused.arrive()
      },
      key: { identity in
        guard identity == Self.identity else { return nil }
        return try? PresharedKey.derive(secret: Self.secret, identity: Array(identity.text.utf8))
      })
  }

  func dial(
    _ listener: TLSListener, as identity: PeerIdentity = TLSFixture.identity, secret: [UInt8] = TLSFixture.secret
  ) async throws -> TLSTransport {
    let address = try #require(listener.addresses.first)
    return try await TLSDialler(poller: poller, context: context)
      .dial(host: address.host, port: address.port, identity: identity, secret: secret)
  }

  /// Two connected ends.
  func makePair(_ host: String = "127.0.0.1") async throws -> (any Transport, any Transport) {
    let listener = try listen(host)
    async let accepted = listener.accept()
    let dialled = try await dial(listener)
    return (dialled, try #require(await accepted))
  }
}
