import VaultModel
import VaultSystem

/// Directives that several resources have, so that they mean the same everywhere.
enum CommonDirectives {
  static let name = DirectiveSchema("Name", .name, .required, "What it is called, in this file and among the daemons.")
  static let description = DirectiveSchema("Description", .text, "A remark for people.")

  /// The secret that both ends of an arrow between two roles have.
  static func password(_ summary: String) -> DirectiveSchema { DirectiveSchema("Password", .password, summary) }

  static func port(_ number: UInt16, aliases: [String], _ summary: String) -> DirectiveSchema {
    DirectiveSchema("Port", aliases: aliases, .integer(1...65_535), default: String(number), summary)
  }

  static func concurrentJobs(_ count: Int, _ summary: String) -> DirectiveSchema {
    DirectiveSchema("Maximum Concurrent Jobs", .integer(1...10_000), default: String(count), summary)
  }

  /// The longest that the system takes.
  private static let heartbeatRange: ClosedRange<UInt64> = 0...32_767

  static let heartbeat = DirectiveSchema(
    "Heartbeat Interval", .duration(heartbeatRange), default: "0",
    "How long a connection may be silent before a sign of life is sent, and how often then, up to 9 hours; 0 sends none."
  )

  static let peerTimeout = DirectiveSchema(
    "Peer Timeout", .duration(4...86_400), default: "60 seconds",
    "How long a daemon that a running job needs may be silent before it counts as lost.")

  static let resourceHeartbeat = DirectiveSchema(
    "Heartbeat Interval", .duration(heartbeatRange),
    "The same for connections of this resource; without it the daemon's own value holds.")

  static let messages = DirectiveSchema(
    "Messages", .reference("Messages"), "Where the daemon's own messages go; without it to standard error.")

  static func workingDirectory(of role: ConfigurationRole) -> DirectiveSchema {
    DirectiveSchema(
      "Working Directory", .path, default: "/var/lib/vault/\(role.rawValue)", "Where the daemon keeps its own files.")
  }

  /// What a daemon's listener is bound by.
  static func listener(port number: UInt16, prefix: String) -> [DirectiveSchema] {
    [
      DirectiveSchema(
        "Address", aliases: ["Addresses", "\(prefix)Address", "\(prefix)Addresses"], .listen, .repeated, default: "*",
        "Where the daemon listens; * is every address, IPv4 and IPv6."),
      port(number, aliases: ["\(prefix)Port"], "The port of addresses that are given without one."),
      DirectiveSchema(
        "Maximum Connections", .integer(1...1_000_000), default: "2048",
        "How many connections may be open; one more is refused with a number and a word."),
      DirectiveSchema(
        "Maximum Connections Per Address", .integer(1...1_000_000), default: "2048",
        "The same for the connections that come from one address."),
    ]
  }

  static let tls = [
    DirectiveSchema("TLS Enable", .yesNo, default: "yes", "Only yes is possible: there is no connection without TLS."),
    DirectiveSchema(
      "TLS Authenticate Only", .choice(["no", "yes", "forced"]), default: "no",
      "Leaves TLS once both sides have proved who they are, if both have this; what follows can be read and altered on its way: "
        + "only forced does so outside of private networks."
    ),
    DirectiveSchema(
      "TLS Certificate", .path, "A file with the certificate in PEM form, for authentication without a password."),
    DirectiveSchema("TLS Key", .path, "A file with the certificate's private key in PEM form."),
    DirectiveSchema(
      "TLS CA Certificate File", .path,
      "A file with the certificates, in PEM form, that the other side's must descend from."),
    DirectiveSchema(
      "TLS Verify Peer", .yesNo, default: "yes", "Whether the other side's certificate is asked for and checked."),
    DirectiveSchema(
      "TLS Allowed CN", .text, .repeated,
      "Names of which the other side's certificate must have one, as its common name or as an alternative; without it the "
        + "name or the address of the other side."),
  ]

  /// An address outside of private networks that a resource names: a name is looked at when it is dialled.
  private static func publicAddress(of block: ConfigurationBlock) -> String? {
    guard block.schema.directives.contains(where: { $0.keyword == "Address" }) else { return nil }
    let hosts = block.all("Address").compactMap { value in
      switch value {
      case .host(let host): host
      case .listen(let listen): listen.host
      default: nil
      }
    }
    return hosts.first { !$0.isUnspecified && PrivateNetwork.contains($0.text) == false }?.text
  }

  /// What TLS directives must go together.
  static func checkTLS(_ block: ConfigurationBlock, _ report: (SourcePosition, String) -> Void) {
    func place(_ keyword: String) -> SourcePosition? { block.position(of: keyword) }
    if block.yesNo("TLS Enable") == false, let place = place("TLS Enable") {
      report(
        place,
        "TLS Enable: there is no connection without TLS: expected yes; TLS Authenticate Only = yes leaves it afterwards"
      )
    }
    if block.name("TLS Authenticate Only") == "yes", let address = publicAddress(of: block) {
      report(
        place("TLS Authenticate Only") ?? block.position,
        "TLS Authenticate Only: \(address) is not of a private network, where anybody on the way can read and alter what is "
          + "said: expected no, or forced")
    }
    if let place = place("TLS Certificate"), block.position(of: "TLS Key") == nil {
      report(place, "TLS Certificate needs TLS Key beside it: the file with the certificate's private key")
    }
    if place("TLS Certificate") == nil {
      for keyword in ["TLS Key", "TLS CA Certificate File", "TLS Allowed CN"] {
        if let place = place(keyword) {
          report(place, "\(keyword) needs TLS Certificate beside it: both sides show one")
        }
      }
    } else if place("TLS CA Certificate File") == nil, block.yesNo("TLS Verify Peer") ?? true {
      report(
        place("TLS Certificate") ?? block.position,
        "TLS Certificate needs TLS CA Certificate File beside it, or TLS Verify Peer = no")
    }
  }

  /// The resources of one keyword.
  static func all(_ keyword: String, in resources: [ConfigurationBlock]) -> [ConfigurationBlock] {
    resources.filter { $0.keyword == keyword }
  }

  /// Whoever is a peer must have a password or show certificates, its own or the daemon's.
  static func checkSecrets(
    of peers: [ConfigurationBlock], daemon: ConfigurationBlock?, _ report: (SourcePosition, String) -> Void
  ) {
    for peer in peers where peer.position(of: "Password") == nil && peer.position(of: "TLS Certificate") == nil {
      guard daemon?.position(of: "TLS Certificate") == nil else { continue }
      report(
        peer.position, "this \(peer.keyword) has no Password and no TLS Certificate: expected \(Password.expectation)")
    }
  }

  /// The director keeps messages; the other daemons send theirs to it.
  static func messagesResource(isDirector: Bool) -> BlockSchema {
    var directives = [
      name, description,
      DirectiveSchema("Stdout", .messages(target: nil), .repeated, "Messages that go to the daemon's standard output."),
      DirectiveSchema(
        "Append", aliases: ["File"], .messages(target: "path"), .repeated,
        "Messages that are appended to a file, which is never overwritten."),
    ]
    if isDirector {
      directives += [
        DirectiveSchema(
          "Catalog", .messages(target: nil), .repeated, "Messages that are kept in the catalog as the job's log."),
        DirectiveSchema(
          "Console", .messages(target: nil), .repeated, "Messages that wait for the next console that asks for them."),
      ]
    } else {
      directives.append(
        DirectiveSchema(
          "Director", .messages(target: "name"), .repeated,
          "Messages that go to the director of that name while one of its jobs runs here."))
    }
    return BlockSchema(
      "Messages", summary: "Which messages go where.", directives: directives)
  }
}
