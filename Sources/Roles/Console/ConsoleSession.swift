import VaultConfiguration
import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

/// A console's connection to a director.
package struct ConsoleSession: Sendable {
  /// What is asked of a director's catalog: files, versions, differences.
  package let client: DirectorClient
  private let network: Network
  private var channel: Channel { client.console }

  /// Dials the director that the configuration names, or the first one.
  ///
  /// - Throws: `ConsoleError`, `TransportError`, `PeerRefusal`.
  package static func open(
    _ configuration: ConsoleConfiguration, director name: String? = nil
  ) async throws -> ConsoleSession {
    guard let director = configuration.directors.first(where: { name == nil || $0.peer.name == name }) else {
      throw ConsoleError.noSuchDirector(name ?? "")
    }
    let own = configuration.console
    // Who has a name has a password or a certificate of its own; the director's resource says how the director is checked.
    var peer = director.peer
    if let own {
      peer.password = own.password
      if own.tls.certificate != nil { peer.tls = own.tls }
    }
    let peers = try PeerBook([peer], own: own?.tls, secrets: SecretStore(path: nil))
    guard peers.hasCredentials(for: peer.name) else { throw ConsoleError.noPassword(peer.name) }
    let network = try Network()
    do {
      let channel = try await peers.dial(
        network, host: director.address.text, port: director.port,
        identity: PeerIdentity(
          dialler: .console, own?.name ?? Hello.unnamedConsole, listener: .director, peer.name))
      return ConsoleSession(client: DirectorClient(console: channel, host: ""), network: network)
    } catch {
      network.close()
      throw error
    }
  }

  private init(client: DirectorClient, network: Network) {
    self.client = client
    self.network = network
  }

  package func close() {
    channel.close()
    network.close()
  }

  /// Asks for something; `each` is told every line of the answer.
  ///
  /// - Parameter paths: what follows the request, when it takes paths: paths and patterns in turn.
  /// - Returns: the reply behind the lines.
  package func request(
    _ line: ControlLine, paths: [PathChoice]? = nil, each: (ControlLine) throws -> Void = { _ in }
  ) async throws -> ControlLine {
    try await channel.sendLine(line)
    if let paths { try await channel.sendFrame(.paths, DirectorClient.encode(paths)) }
    return try await client.finalReply { kind, payload in
      if kind == .listing { try each(try ControlLine(payload: payload)) }
    }.line
  }
}

/// Why a console cannot talk to a director.
package enum ConsoleError: DescribedError, Hashable {
  case noSuchDirector(String)
  case noPassword(String)

  package var exitStatus: ExitStatus { .usage }
  package var description: String {
    switch self {
    case .noSuchDirector(let name): "console.conf has no Director called '\(name)'."
    case .noPassword(let name): "console.conf has no password for '\(name)', and no Console resource with one."
    }
  }
}
