import VaultModel
import VaultProtocol
import VaultSession

/// Tells a mistake in somebody's configuration from the loss of a daemon: nobody mends it by waiting.
enum ConfigurationMistake {
  /// Whether an error is one: a peer that does not know a name or a key, or that was asked for what it has not.
  static func isOne(_ error: any Error) -> Bool {
    switch error {
    case let refusal as PeerRefusal:
      refusal.exitStatus == .usage || refusal.code == .fileDaemonMistrusts || refusal.code == .storageMistrusts
    case let error as TransportError: error.isRefusal
    case is QueueRefusal, DialRefusal.notReachable: true
    default: false
    }
  }
}

extension TransportError {
  /// Whether the two sides cannot prove to each other who they are.
  fileprivate var isRefusal: Bool {
    if case .refused = kind { return true }
    return false
  }
}
