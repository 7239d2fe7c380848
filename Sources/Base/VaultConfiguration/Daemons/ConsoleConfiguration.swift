import VaultModel

/// What a console's configuration says, checked: every name in it names something.
package struct ConsoleConfiguration: Sendable {
  package struct Director: Hashable, Sendable {
    package var peer: PeerParameters
    package var address: HostAddress
    package var port: UInt16
  }

  package var directors: [Director]
  /// Who one is; nil for the console that has no name.
  package var console: PeerParameters?
}

extension ConsoleConfiguration: DaemonConfiguration {
  package init(_ resources: ResourceTable) {
    directors = resources.all("Director").map { block in
      Director(
        peer: PeerParameters(block), address: block.requiredHost("Address"),
        port: UInt16(clamping: block.requiredNumber("Port")))
    }
    console = resources.all("Console").first.map { PeerParameters($0) }
  }

  /// The table of everything that a console's configuration may say.
  package static let schema = ConfigurationSchema([director, named]) { resources, report in
    let console = CommonDirectives.all("Console", in: resources)
    CommonDirectives.checkSecrets(of: console, daemon: nil, report)
    if console.isEmpty {
      CommonDirectives.checkSecrets(of: CommonDirectives.all("Director", in: resources), daemon: nil, report)
    }
  }

  private static let director = BlockSchema(
    "Director", .some, summary: "A director to talk to; the first one unless another is named.",
    directives: [
      CommonDirectives.name, CommonDirectives.description,
      DirectiveSchema("Address", aliases: ["DIRAddress"], .host, .required, "Where the director is dialled."),
      CommonDirectives.port(9101, aliases: ["DIRPort"], "The port that is dialled."),
      CommonDirectives.password(
        "The secret that the director has in its Director resource, for a console without a name."),
      CommonDirectives.heartbeat,
    ] + CommonDirectives.tls, check: CommonDirectives.checkTLS)

  private static let named = BlockSchema(
    "Console", .optional, summary: "Who one is, for a director that knows this name.",
    directives: [
      CommonDirectives.name, CommonDirectives.description,
      CommonDirectives.password("The secret that the director has in its Console resource of this name."),
    ] + CommonDirectives.tls, check: CommonDirectives.checkTLS)
}
