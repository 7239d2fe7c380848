import VaultCrypto
import VaultModel
import VaultProtocol
import VaultSystem

/// A process's part in the network: one poller, one TLS context.
package final class Network: Sendable {
  package let poller: Poller
  private let context: TLSContext

  /// - Throws: `SystemError`, `CryptoError`.
  package init() throws {
    poller = try Poller()
    context = try TLSContext()
  }

  /// Begins to listen on all addresses of some hosts.
  ///
  /// - Parameters:
  ///   - places: hosts with their ports; nil for all addresses of this machine.
  ///   - role: whose code a connection above the limits is refused with.
  /// - Throws: `NameLookupError`, `SystemError`.
  package func listen(
    on places: [(host: String?, port: UInt16)], limits: TLSListener.Limits, role: PeerRole? = nil,
    onRefusal: @escaping @Sendable (TLSListener.Refusal) -> Void,
    key: @escaping @Sendable (PeerIdentity) -> [UInt8]?
  ) async throws -> TLSListener {
    var addresses: [SocketAddress] = []
    for place in places {
      let found = try await onThread(name: "vault-lookup") {
        try SocketAddress.resolve(host: place.host ?? "", port: place.port)
      }
      addresses += found.filter { !addresses.contains($0) }
    }
    return try TLSListener(
      addresses: addresses, poller: poller, context: context, limits: limits, role: role, onRefusal: onRefusal,
      key: key)
  }

  /// Dials, authenticates, and says hello.
  ///
  /// - Parameters:
  ///   - identity: what this side is to the listener.
  ///   - secret: what both share.
  ///   - limitNanoseconds: how long one address may take.
  package func dial(
    host: String, port: UInt16, identity: PeerIdentity, secret: [UInt8], limitNanoseconds: UInt64 = 10_000_000_000
  ) async throws -> Channel {
    let dialler = TLSDialler(poller: poller, context: context, limitNanoseconds: limitNanoseconds)
    let transport = try await cancellable(
      { try await dialler.dial(host: host, port: port, identity: identity, secret: secret) },
      late: { $0.close() }, cancelled: TransportError(.cancelled, peer: host))
    let channel = Channel(transport)
    do {
      try await Hello(role: identity.dialler, name: identity.diallerName).dial(channel, expecting: identity.listener)
      return channel
    } catch {
      channel.close()
      throw error
    }
  }

  /// Waits; returns early when the task is cancelled.
  package func pause(nanoseconds: UInt64) async {
    let promise = Promise<Void>()
    let timer = poller.after(nanoseconds: nanoseconds) { promise.fulfil(.success(())) }
    await withTaskCancellationHandler {
      _ = try? await promise.value()
    } onCancel: {
      promise.fulfil(.success(()))
    }
    _ = poller.cancel(timer)
  }

  /// Does something that cannot be cancelled itself; whoever is cancelled goes on at once, and what comes late is thrown away.
  private func cancellable<Result: Sendable>(
    _ body: @escaping @Sendable () async throws -> Result, late: @escaping @Sendable (Result) -> Void,
    cancelled: any Error
  ) async throws -> Result {
    let promise = Promise<Result>()
    // Unstructured on purpose: it ends by its own time limit.
    Task {
      do {
        let result = try await body()
        if !promise.fulfil(.success(result)) { late(result) }
      } catch {
        promise.fulfil(.failure(error))
      }
    }
    return try await withTaskCancellationHandler {
      try await promise.value()
    } onCancel: {
      promise.fulfil(.failure(cancelled))
    }
  }

  package func close() { poller.close() }
}
