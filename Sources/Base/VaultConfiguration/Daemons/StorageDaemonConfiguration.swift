import VaultModel

/// What a storage daemon's configuration says, checked: every name in it names something.
package struct StorageDaemonConfiguration: Sendable {
  package struct Device: Hashable, Sendable {
    package var name: String
    package var mediaType: String
    /// The directory that holds the volumes.
    package var archiveDevice: ByteString
    package var concurrentJobLimit: Int
  }

  package var daemon: DaemonParameters
  package var directors: [PeerParameters]
  package var devices: [Device]
  package var messages: [MessagesResource]
}

extension StorageDaemonConfiguration: DaemonConfiguration {
  package init(_ resources: ResourceTable) {
    daemon = DaemonParameters(resources.one("Storage"))
    directors = resources.all("Director").map { PeerParameters($0) }
    devices = resources.all("Device").map { block in
      Device(
        name: block.requiredName("Name"), mediaType: block.requiredName("Media Type"),
        archiveDevice: block.requiredText("Archive Device"), concurrentJobLimit: block.count("Maximum Concurrent Jobs"))
    }
    messages = resources.all("Messages").map { MessagesResource($0) }
  }

  /// The table of everything that a storage daemon's configuration may say.
  package static let schema = ConfigurationSchema(
    [storage, director, device, CommonDirectives.messagesResource(isDirector: false)]
  ) { resources, report in
    CommonDirectives.checkSecrets(
      of: CommonDirectives.all("Director", in: resources),
      daemon: CommonDirectives.all("Storage", in: resources).first, report)
    checkArchives(of: CommonDirectives.all("Device", in: resources), report)
  }

  private static let storage = BlockSchema(
    "Storage", .required, summary: "The storage daemon itself.",
    directives: [CommonDirectives.name, CommonDirectives.description]
      + CommonDirectives.listener(port: 9103, prefix: "SD") + [
        CommonDirectives.workingDirectory(of: .storageDaemon),
        CommonDirectives.concurrentJobs(20, "How many jobs may run at once."),
        CommonDirectives.heartbeat, CommonDirectives.peerTimeout, CommonDirectives.messages,
      ] + CommonDirectives.tls, check: CommonDirectives.checkTLS)

  private static let director = BlockSchema(
    "Director", .some, summary: "A director that may use this storage daemon.",
    directives: [
      CommonDirectives.name, CommonDirectives.description,
      CommonDirectives.password("The secret that the director has in its Storage resource."),
    ] + CommonDirectives.tls, check: CommonDirectives.checkTLS)

  private static let device = BlockSchema(
    "Device", .some, summary: "A place for volumes.",
    directives: [
      CommonDirectives.name, CommonDirectives.description,
      DirectiveSchema("Device Type", .choice(["File"]), default: "File", "What it is: a directory of files."),
      DirectiveSchema(
        "Media Type", .name, default: "File", "What kind of volumes it has, as the director's Storage says."),
      DirectiveSchema("Archive Device", .path, .required, "The directory that holds the volumes."),
      CommonDirectives.concurrentJobs(20, "How many jobs may use it at once."),
    ])

  /// Two devices in one directory would take each other's volumes for their own.
  private static func checkArchives(
    of devices: [ConfigurationBlock], _ report: (SourcePosition, String) -> Void
  ) {
    var places: [ByteString: SourcePosition] = [:]
    for device in devices {
      guard let path = device.text("Archive Device"), let place = device.position(of: "Archive Device") else {
        continue
      }
      if let first = places[path] {
        report(
          place, "Archive Device: \(path.displayText) is a device's already, in \(first): expected another directory")
      } else {
        places[path] = place
      }
    }
  }
}
