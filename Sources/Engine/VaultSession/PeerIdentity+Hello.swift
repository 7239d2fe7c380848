import VaultModel

extension PeerIdentity {
  /// Whether a hello says what the connection was authenticated as.
  package func allows(_ hello: Hello) -> Bool { dialler == hello.role && diallerName == hello.name }
}

extension Hello {
  /// Refuses a peer that calls itself something else than it was authenticated as.
  ///
  /// - Parameter transport: where nothing was dialled over a network, everything said is believed.
  package func check(_ transport: any Transport) throws(HelloMismatch) {
    guard let bytes = transport.peerIdentity else { return }
    guard let identity = PeerIdentity(bytes), identity.allows(self) else {
      throw HelloMismatch(claimed: "\(role.rawValue) \(name)", authenticated: bytes.displayText)
    }
  }
}

/// A peer that says it is somebody else than its key says.
package struct HelloMismatch: DescribedError, Hashable {
  package let claimed: String
  package let authenticated: String
  package var exitStatus: ExitStatus { .unreachable }
  package var description: String { "The peer calls itself \(claimed), but its key is that of '\(authenticated)'." }
}
