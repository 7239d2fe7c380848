import VaultModel

/// What a daemon's log says of a peer whose conversation ended by an error.
package enum PeerComplaint {
  /// A sentence that names the peer; nil for one that is just gone.
  package static func text(about error: any Error, from peer: String) -> String? {
    switch error {
    case let error as TransportError:
      if case .malformed = error.kind { return error.description }
      return nil
    case let error as any DescribedError: return "\(peer): \(error.description)"
    default: return nil
    }
  }
}
