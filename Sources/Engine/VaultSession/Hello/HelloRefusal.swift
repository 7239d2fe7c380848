import VaultModel
import VaultProtocol

/// Why a listener does not talk to a peer that it has heard.
package enum HelloRefusal: DescribedError, Hashable {
  /// The peer's role has no business with the listener's.
  case role(PeerRole, listener: PeerRole)
  /// Nothing configured goes by the peer's name.
  case unknown(PeerRole, name: String)
  /// The peer claims to be somebody else than it proved.
  case otherPeer(claimed: PeerRole, String, proved: String)
  /// The peer takes this listener for somebody else.
  case otherListener(PeerRole, String)
  /// The key is a job's, which these roles do not do together.
  case purpose(PeerRole, listener: PeerRole)
  /// The peer has shown a certificate, and a password is configured for it.
  case needsPassword(name: String)
  /// The peer has proved nothing.
  case unproved(name: String)
  /// One side leaves TLS after the authentication and the other does not.
  case encryption(leavesDialler: Bool)
  /// TLS was to end, and a public network is on the way.
  case publicNetwork(name: String)

  package var exitStatus: ExitStatus { .unreachable }

  /// The code with which a listener tells it.
  package func code(of listener: PeerRole) -> StatusCode {
    switch self {
    case .role, .encryption, .publicNetwork: listener.refusalCode
    case .unknown, .otherPeer, .otherListener, .purpose, .needsPassword, .unproved: listener.mistrustCode
    }
  }

  package var description: String {
    switch self {
    case .role(let role, let listener): "A \(role.rawValue) has no business with a \(listener.rawValue)."
    case .unknown(let role, let name): "No \(role.rawValue) called \(Self.quoted(name)) is configured here."
    case .otherPeer(let role, let name, let proved):
      "The peer says it is the \(role.rawValue) \(Self.quoted(name)) and has proved to be \(proved)."
    case .otherListener(let role, let name):
      "The peer wants the \(role.rawValue) \(Self.quoted(name)), which this is not."
    case .purpose(let role, let listener): "A \(role.rawValue) and a \(listener.rawValue) do no jobs with each other."
    case .needsPassword(let name):
      "A password is configured for \(Self.quoted(name)), and the peer has shown a certificate."
    case .unproved(let name): "The peer says it is \(Self.quoted(name)) and has proved nothing."
    case .encryption(let leavesDialler):
      "The \(leavesDialler ? "dialler" : "listener") is configured to leave TLS after the authentication and the "
        + "\(leavesDialler ? "listener" : "dialler") is not: TLS Authenticate Only must be the same on both sides."
    case .publicNetwork(let name):
      "The address of \(Self.quoted(name)) is not of a private network, where anybody on the way could read and alter what is "
        + "said: TLS Authenticate Only = yes is refused, and = forced is not."
    }
  }

  /// A name that a peer chose, safe to show.
  static func quoted(_ name: String) -> String { "'\(ByteString(name).displayText)'" }
}
