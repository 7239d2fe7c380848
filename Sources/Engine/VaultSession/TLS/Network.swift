import VaultCrypto
import VaultModel
import VaultProtocol
import VaultSystem

/// A process's part in the network: one poller, one TLS context.
package final class Network: Sendable {
  private static let helloSeconds: UInt64 = 10

  package let poller: Poller
  private let context: TLSContext
  private let heartbeatSeconds: UInt64

  /// - Parameters:
  ///   - certificates: what a listener shows to peers that go by certificates, beside those that go by keys; nil for none.
  ///   - heartbeatSeconds: after how long without a byte a connection carries a sign of life, unless a peer's resource says
  ///     otherwise; 0 for never.
  /// - Throws: `SystemError`, `CryptoError`, `TLSFileError`.
  package init(certificates: TLSCertificates? = nil, heartbeatSeconds: UInt64 = 0) throws {
    self.heartbeatSeconds = heartbeatSeconds
    context = try certificates.map { try TLSContext(certificates: $0) } ?? TLSContext()
    poller = try Poller()
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
    lookUp: @escaping TLSListener.KeyLookup
  ) async throws -> TLSListener {
    var addresses: [SocketAddress] = []
    for place in places {
      let found = try await onThread(name: "vault-lookup") {
        try SocketAddress.resolve(host: place.host ?? "", port: place.port)
      }
      addresses += found.filter { !addresses.contains($0) }
    }
    return try TLSListener(
      addresses: addresses, poller: poller, context: context, limits: limits, role: role,
      heartbeatSeconds: heartbeatSeconds, onRefusal: onRefusal, lookUp: lookUp)
  }

  /// Dials, authenticates, and says hello.
  ///
  /// - Parameters:
  ///   - identity: what this side is to the listener.
  ///   - secret: what both share.
  ///   - leavesTLS: whether TLS is to end with the hello.
  ///   - isForced: whether TLS may end on the way through a public network, too.
  ///   - heartbeat: the resource's own Heartbeat Interval in seconds; nil for the process's.
  package func dial(
    host: String, port: UInt16, identity: PeerIdentity, secret: [UInt8], leavesTLS: Bool = false,
    isForced: Bool = false, heartbeat: UInt64? = nil
  ) async throws -> Channel {
    let dialler = TLSDialler(poller: poller, context: context, heartbeatSeconds: heartbeat ?? heartbeatSeconds)
    return try await greet(identity, host, leavesTLS, isForced) {
      try await dialler.dial(host: host, port: port, identity: identity, secret: secret)
    }
  }

  /// The same by certificates.
  ///
  /// - Parameters:
  ///   - certificates: what this side shows and checks with.
  ///   - allowedNames: of which the listener's certificate must have one; when empty, that of the host or of the listener.
  package func dial(
    host: String, port: UInt16, identity: PeerIdentity, certificates: TLSContext, allowedNames: [ByteString],
    leavesTLS: Bool = false, isForced: Bool = false, heartbeat: UInt64? = nil
  ) async throws -> Channel {
    let dialler = TLSDialler(poller: poller, context: certificates, heartbeatSeconds: heartbeat ?? heartbeatSeconds)
    return try await greet(identity, host, leavesTLS, isForced) {
      try await dialler.dial(
        host: host, port: port, listenerName: identity.listenerName, allowedNames: allowedNames)
    }
  }

  private func greet(
    _ identity: PeerIdentity, _ host: String, _ leavesTLS: Bool, _ isForced: Bool,
    _ dial: @escaping @Sendable () async throws -> TLSTransport
  ) async throws -> Channel {
    let transport = try await cancellable(
      dial, late: { $0.close() }, cancelled: TransportError(.cancelled, peer: host))
    let channel = Channel(transport)
    // A listener that took the connection and then says nothing is waited for no longer than one that does not answer at all.
    channel.limitSilence(seconds: Self.helloSeconds, poller: poller)
    do {
      let hello = Hello(role: identity.dialler, name: identity.diallerName, leavesTLS: leavesTLS)
      if leavesTLS, !isForced, !transport.isPrivate { throw HelloRefusal.publicNetwork(name: identity.listenerName) }
      try await hello.dial(channel, expecting: identity.listener)
      channel.limitSilence(seconds: 0, poller: poller)
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
