import VaultCrypto
import VaultModel
import VaultSystem

/// Dials listeners over TCP and authenticates both sides, by a pre-shared key or by certificates.
package struct TLSDialler: Sendable {
  let poller: Poller
  let context: TLSContext
  /// How long one address may take, handshake included.
  let limitNanoseconds: UInt64
  /// After how long without a byte a connection carries a sign of life; 0 for never.
  let heartbeatSeconds: UInt64

  package init(
    poller: Poller, context: TLSContext, limitNanoseconds: UInt64 = 10_000_000_000, heartbeatSeconds: UInt64 = 0
  ) {
    self.heartbeatSeconds = heartbeatSeconds
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
    return try await dial(host, port, .dial(identity: name, key: key))
  }

  /// Tries the host's addresses in turn with the certificate of the context, which must have one.
  ///
  /// A listener that refuses this side's certificate says so with the first bytes that are received, not here.
  ///
  /// - Parameters:
  ///   - listenerName: what the listener is called among the daemons.
  ///   - allowedNames: of which the listener's certificate must have one; when empty, that of the host or of the listener.
  /// - Throws: `NameLookupError`, `TransportError` of the last address tried.
  package func dial(
    host: String, port: UInt16, listenerName: String, allowedNames: [ByteString] = []
  ) async throws -> TLSTransport {
    guard context.certificates != nil else {
      throw TransportError(.broken("This side has no certificate to show."), peer: host)
    }
    let names = allowedNames.isEmpty ? [ByteString(host), ByteString(listenerName)] : allowedNames
    return try await dial(host, port, .dialByCertificate(names: names))
  }

  private func dial(_ host: String, _ port: UInt16, _ credentials: TLSCredentials) async throws -> TLSTransport {
    let addresses = try await onThread(name: "vault-lookup") { try SocketAddress.resolve(host: host, port: port) }
    var failure = TransportError(.broken("The host has no address."), peer: host)
    for address in addresses {
      switch await connect(address, credentials) {
      case .success(let transport): return transport
      case .failure(let error):
        failure = error
        // Another address is tried when nobody listens at this one; a listener that refuses is the right one.
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
  ) async -> Result<TLSTransport, TransportError> {
    let plan = TLSHandshake.Plan(
      context: context, credentials: credentials, peer: address.text, isConnecting: true,
      limitNanoseconds: limitNanoseconds)
    return await withCheckedContinuation { continuation in
      do throws(SystemError) {
        let socket = try StreamSocket.connect(to: address, heartbeatSeconds: heartbeatSeconds)
        TLSHandshake.start(socket, plan, poller) { continuation.resume(returning: $0) }
      } catch {
        continuation.resume(
          returning: .failure(TransportError(.unreachable(error.errno.description), peer: address.text)))
      }
    }
  }
}
