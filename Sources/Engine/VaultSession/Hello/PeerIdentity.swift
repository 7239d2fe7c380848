import VaultModel
import VaultProtocol

/// What a dialler is to a listener: the identity under which its key is looked up.
///
/// - Layout: `1 <purpose> <dialler role> <dialler name> <listener role> <listener name>`, names percent-encoded as on the control
///   channel.
/// - Source: DESIGN "Connections".
package struct PeerIdentity: Hashable, Sendable {
  /// What the connection is for.
  package enum Purpose: Hashable, Sendable {
    case control
    /// The data of one job, with a key of its own.
    case job(UniqueIdentifier)
  }

  package var purpose: Purpose
  package var dialler: PeerRole
  package var diallerName: String
  package var listener: PeerRole
  package var listenerName: String

  package init(
    purpose: Purpose = .control, dialler: PeerRole, _ diallerName: String, listener: PeerRole, _ listenerName: String
  ) {
    self.purpose = purpose
    self.dialler = dialler
    self.diallerName = diallerName
    self.listener = listener
    self.listenerName = listenerName
  }

  /// Whether connections of this purpose exist between these roles: a job's run between file and storage daemons only.
  package var hasPlausiblePurpose: Bool {
    guard case .job = purpose else { return true }
    let serveJobs: Set<PeerRole> = [.fileDaemon, .storageDaemon]
    return serveJobs.contains(dialler) && serveJobs.contains(listener)
  }

  package var text: String {
    let purpose =
      switch purpose {
      case .control: "control"
      case .job(let identifier): "job \(identifier.text)"
      }
    let names = [diallerName, listenerName].map { ControlLine.encodedWord(ByteString($0)) }
    return "1 \(purpose) \(dialler.rawValue) \(names[0]) \(listener.rawValue) \(names[1])"
  }

  /// Reads an identity that a dialler sent; nil when it is none.
  package init?(_ bytes: ByteString) {
    guard let text = bytes.text else { return nil }
    var words = text.split(separator: " ", omittingEmptySubsequences: false)
    guard words.first == "1" else { return nil }
    words.removeFirst()
    switch words.first {
    case "control": purpose = .control
    case "job":
      words.removeFirst()
      guard let identifier = words.first.flatMap({ UniqueIdentifier(text: String($0)) }) else { return nil }
      purpose = .job(identifier)
    default: return nil
    }
    guard words.count == 5, let dialler = PeerRole(rawValue: String(words[1])),
      let diallerName = ControlLine.decodedWord(words[2])?.text, let listener = PeerRole(rawValue: String(words[3])),
      let listenerName = ControlLine.decodedWord(words[4])?.text
    else { return nil }
    self.dialler = dialler
    self.diallerName = diallerName
    self.listener = listener
    self.listenerName = listenerName
    // One identity has one spelling.
    guard self.text == text else { return nil }
  }
}
