import VaultCrypto
import VaultModel
import VaultSystem

/// Dials listeners over TCP and authenticates both sides by a pre-shared key.
package struct TLSDialler: Sendable {
  let poller: Poller
  let context: TLSContext
  /// How long one address may take, handshake included.
  let limitNanoseconds: UInt64

  package init(poller: Poller, context: TLSContext, limitNanoseconds: UInt64 = 10_000_000_000) {
    self.poller = poller
    self.context = context
    self.limitNanoseconds = limitNanoseconds
  }

  /// Tries the host's addresses in turn, IPv4 and IPv6 alike.
  ///
  /// - Parameter identity: what this side is to the listener; its key is derived from it and the secret.
  /// - Throws: `NameLookupError`, `TransportError` of the last address tried.
  package func dial(host: String, port: UInt16, identity: PeerIdentity, secret: [UInt8]) async throws -> TLSTransport {
    let name = Array(identity.text.utf8)
    let key = try PresharedKey.derive(secret: secret, identity: name)
    let addresses = try await onThread(name: "vault-lookup") { try SocketAddress.resolve(host: host, port: port) }
    var failure = TransportError(.broken("The host has no address."), peer: host)
    for address in addresses {
      do throws(TransportError) {
        return try await connect(address, .dial(identity: name, key: key))
      } catch {
        failure = error
        // Another address is tried when nobody listens at this one; a listener that refuses the key is the right one.
        switch error.kind {
        case .unreachable, .timedOut: continue
        default: throw error
        }
      }
    }
    throw failure
  }

  private func connect(
    _ address: SocketAddress, _ credentials: TLSCredentials
  ) async throws(TransportError) -> TLSTransport {
    let result: Result<TLSTransport, TransportError> = await withCheckedContinuation { continuation in
      do throws(SystemError) {
        TLSHandshake.start(
          try StreamSocket.connect(to: address), context, credentials, poller, peer: address.text, isConnecting: true,
          limitNanoseconds: limitNanoseconds
        ) { continuation.resume(returning: $0) }
      } catch {
        continuation.resume(
          returning: .failure(TransportError(.unreachable(error.errno.description), peer: address.text)))
      }
    }
    return try result.get()
  }
}
