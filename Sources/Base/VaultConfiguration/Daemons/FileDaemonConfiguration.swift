import VaultModel

/// What a file daemon's configuration says, checked: every name in it names something.
package struct FileDaemonConfiguration: Sendable {
  package struct Director: Hashable, Sendable {
    package var peer: PeerParameters
    package var mayDial: Bool
    /// Where the director is dialled; there whenever this side dials.
    package var address: HostAddress?
    package var port: UInt16
    package var isDialled: Bool
  }

  package var daemon: DaemonParameters
  /// Jobs read and write only below these; empty for everywhere.
  package var allowedDirectories: [ByteString]
  package var directors: [Director]
  package var messages: [MessagesResource]
}

extension FileDaemonConfiguration: DaemonConfiguration {
  package init(_ resources: ResourceTable) {
    let own = resources.one("FileDaemon")
    daemon = DaemonParameters(own)
    allowedDirectories = own.texts("Allowed Directories")
    directors = resources.all("Director").map { block in
      Director(
        peer: PeerParameters(block), mayDial: block.isYes("Connection From Director To Client"),
        address: block.host("Address"), port: UInt16(clamping: block.requiredNumber("Port")),
        isDialled: block.isYes("Connection From Client To Director"))
    }
    messages = resources.all("Messages").map { MessagesResource($0) }
  }

  /// The table of everything that a file daemon's configuration may say.
  package static let schema = ConfigurationSchema(
    [fileDaemon, director, CommonDirectives.messagesResource(isDirector: false)]
  ) { resources, report in
    CommonDirectives.checkSecrets(
      of: CommonDirectives.all("Director", in: resources),
      daemon: CommonDirectives.all("FileDaemon", in: resources).first, report)
  }

  private static let fileDaemon = BlockSchema(
    "FileDaemon", aliases: ["Client"], .required, summary: "The file daemon itself.",
    directives: [CommonDirectives.name, CommonDirectives.description]
      + CommonDirectives.listener(port: 9102, prefix: "FD") + [
        CommonDirectives.workingDirectory(of: .fileDaemon),
        CommonDirectives.concurrentJobs(20, "How many jobs may run at once."),
        CommonDirectives.heartbeat, CommonDirectives.peerTimeout, CommonDirectives.messages,
        DirectiveSchema(
          "Allowed Directories", aliases: ["Allowed Directory"], .path, .repeated,
          "Where jobs may read and restores may write; without it everywhere."),
      ] + CommonDirectives.tls, check: CommonDirectives.checkTLS)

  private static let director = BlockSchema(
    "Director", .some, summary: "A director that may use this client.",
    directives: [
      CommonDirectives.name, CommonDirectives.description,
      CommonDirectives.password("The secret that the director has in its Client resource."),
      DirectiveSchema(
        "Connection From Director To Client", .yesNo, default: "yes", "Whether the director may dial this client."),
      DirectiveSchema(
        "Connection From Client To Director", .yesNo, default: "no",
        "Whether this client dials the director, and keeps a connection waiting for jobs."),
      DirectiveSchema("Address", aliases: ["DIRAddress"], .host, "Where the director is dialled."),
      CommonDirectives.port(9101, aliases: ["DIRPort"], "The port that is dialled."),
      CommonDirectives.resourceHeartbeat,
    ] + CommonDirectives.tls
  ) { block, report in
    CommonDirectives.checkTLS(block, report)
    let dials = block.yesNo("Connection From Client To Director") ?? false
    if dials, block.position(of: "Address") == nil {
      report(block.position, "this Director has no Address, and Connection From Client To Director = yes needs one")
    }
    if !dials, block.yesNo("Connection From Director To Client") == false {
      report(
        block.position(of: "Connection From Director To Client") ?? block.position,
        "nobody may dial: expected yes here or in Connection From Client To Director")
    }
  }
}
