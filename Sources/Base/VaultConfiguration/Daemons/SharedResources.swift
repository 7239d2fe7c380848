import VaultModel

/// How a resource's connections are protected beyond its password.
package struct TLSParameters: Hashable, Sendable {
  package var leavesAfterAuthentication: Bool
  /// Whether that holds for peers in public networks, too.
  package var leavesAnywhere: Bool
  package var certificate: ByteString?
  package var key: ByteString?
  package var certificateAuthorities: ByteString?
  package var verifiesPeer: Bool
  /// Empty for any name that the authorities vouch for.
  package var allowedCommonNames: [ByteString]

  init(_ block: ConfigurationBlock) {
    let authenticateOnly = block.requiredName("TLS Authenticate Only")
    leavesAfterAuthentication = authenticateOnly != "no"
    leavesAnywhere = authenticateOnly == "forced"
    certificate = block.text("TLS Certificate")
    key = block.text("TLS Key")
    certificateAuthorities = block.text("TLS CA Certificate File")
    verifiesPeer = block.isYes("TLS Verify Peer")
    allowedCommonNames = block.texts("TLS Allowed CN")
  }
}

/// What a daemon is: its name, where it listens, and its bounds.
package struct DaemonParameters: Hashable, Sendable {
  package var name: String
  package var listen: [ListenAddress]
  /// The port of those addresses that have none of their own.
  package var port: UInt16
  package var workingDirectory: ByteString
  package var connectionLimit: Int
  package var connectionPerAddressLimit: Int
  package var concurrentJobLimit: Int
  /// 0 for no heartbeat.
  package var heartbeatSeconds: UInt64
  /// How long a peer of a running job may be silent.
  package var peerTimeoutSeconds: UInt64
  /// A `MessagesResource` by its name; nil for standard error.
  package var messages: String?
  package var tls: TLSParameters

  init(_ block: ConfigurationBlock) {
    name = block.requiredName("Name")
    listen = block.all("Address").compactMap { if case .listen(let address) = $0 { address } else { nil } }
    port = UInt16(clamping: block.requiredNumber("Port"))
    workingDirectory = block.requiredText("Working Directory")
    connectionLimit = block.count("Maximum Connections")
    connectionPerAddressLimit = block.count("Maximum Connections Per Address")
    concurrentJobLimit = block.count("Maximum Concurrent Jobs")
    heartbeatSeconds = block.requiredNumber("Heartbeat Interval")
    peerTimeoutSeconds = block.requiredNumber("Peer Timeout")
    messages = block.name("Messages")
    tls = TLSParameters(block)
  }
}

/// Whom a daemon or a console shares a secret with.
package struct PeerParameters: Hashable, Sendable {
  package var name: String
  /// nil where certificates do without.
  package var password: Password?
  package var tls: TLSParameters
  /// For connections of this peer, 0 for no heartbeat; nil for the daemon's own value.
  package var heartbeatSeconds: UInt64?

  package init(name: String, password: Password?, tls: TLSParameters) {
    self.name = name
    self.password = password
    self.tls = tls
  }

  init(_ block: ConfigurationBlock) {
    self.init(name: block.requiredName("Name"), password: block.password("Password"), tls: TLSParameters(block))
    let keyword = "Heartbeat Interval"
    if block.schema.directives.contains(where: { $0.keyword == keyword }) { heartbeatSeconds = block.number(keyword) }
  }
}

/// Which messages go where.
package struct MessagesResource: Hashable, Sendable {
  package enum Destination: Hashable, Sendable {
    case standardOutput
    case file(ByteString)
    case catalog
    case console
    case director(String)
  }

  package struct Route: Hashable, Sendable {
    package var destination: Destination
    package var classes: Set<MessageClass>
  }

  package var name: String
  package var routes: [Route]

  init(_ block: ConfigurationBlock) {
    name = block.requiredName("Name")
    routes = []
    for directive in block.schema.directives {
      for value in block.all(directive.keyword) {
        guard case .messages(let selection) = value else { continue }
        let target = selection.target ?? ByteString("")
        let destination: Destination =
          switch directive.keyword {
          case "Append": .file(target)
          case "Catalog": .catalog
          case "Console": .console
          case "Director": .director(target.displayText)
          default: .standardOutput
          }
        routes.append(Route(destination: destination, classes: selection.classes))
      }
    }
  }
}

/// Values that the schema guarantees: the directive is required or has a default, and the configuration no mistakes.
extension ConfigurationBlock {
  private func guaranteed<Value>(_ value: Value?, _ keyword: String) -> Value {
    guard let value else { preconditionFailure("\(self.keyword): \(keyword) is neither required nor has a default") }
    return value
  }

  func requiredName(_ keyword: String) -> String { guaranteed(name(keyword), keyword) }
  func requiredNumber(_ keyword: String) -> UInt64 { guaranteed(number(keyword), keyword) }
  func requiredText(_ keyword: String) -> ByteString { guaranteed(text(keyword), keyword) }
  func requiredHost(_ keyword: String) -> HostAddress { guaranteed(host(keyword), keyword) }
  func count(_ keyword: String) -> Int { Int(clamping: requiredNumber(keyword)) }
  func isYes(_ keyword: String) -> Bool { guaranteed(yesNo(keyword), keyword) }
  /// A block that may stand once: without it, one that says nothing.
  func inside(_ keyword: String) -> ConfigurationBlock {
    guaranteed(blocks.first { $0.keyword == keyword }, keyword)
  }
}
