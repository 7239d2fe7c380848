import VaultModel

/// The table of everything that a director's configuration may say.
extension DirectorConfiguration {
  package static let schema = ConfigurationSchema(
    [
      director, console, catalogs, client, storage, pool, fileSet, jobs("JobDefs"), jobs("Job"),
      CommonDirectives.messagesResource(isDirector: true),
    ]
  ) { resources, report in
    let daemon = CommonDirectives.all("Director", in: resources).first
    for keyword in ["Client", "Storage", "Console"] {
      CommonDirectives.checkSecrets(of: CommonDirectives.all(keyword, in: resources), daemon: daemon, report)
    }
    if let daemon { CommonDirectives.checkSecrets(of: [daemon], daemon: nil, report) }
    checkStorage(of: resources, report)
  }

  private static let director = BlockSchema(
    "Director", .required, summary: "The director itself.",
    directives: [
      CommonDirectives.name, CommonDirectives.description,
      CommonDirectives.password("The secret that it shares with the console that has no name of its own."),
    ] + CommonDirectives.listener(port: 9101, prefix: "DIR") + [
      CommonDirectives.workingDirectory(of: .director),
      CommonDirectives.concurrentJobs(20, "How many jobs may run at once."),
      CommonDirectives.heartbeat, CommonDirectives.peerTimeout,
      DirectiveSchema(
        "Reconnect Window", .duration(0...86_400), default: "10 minutes",
        "How long a running job waits for a lost peer; then it ends incomplete, and the next run continues it."),
      DirectiveSchema(
        "FD Connect Timeout", .duration(1...86_400), default: "3 minutes",
        "How long a client is dialled when a job starts."),
      DirectiveSchema(
        "SD Connect Timeout", .duration(1...86_400), default: "3 minutes",
        "How long a storage daemon is dialled when a job starts."),
      CommonDirectives.messages,
    ] + CommonDirectives.tls, check: CommonDirectives.checkTLS)

  private static let console = BlockSchema(
    "Console", summary: "A console with a name and a secret of its own.",
    directives: [
      CommonDirectives.name, CommonDirectives.description,
      CommonDirectives.password("The secret that the console has in its own configuration."),
    ] + CommonDirectives.tls, check: CommonDirectives.checkTLS)

  private static let catalogs = BlockSchema(
    "Catalog", .required, summary: "The database that knows what was saved where.",
    directives: [
      CommonDirectives.name, CommonDirectives.description,
      DirectiveSchema(
        "DB Driver", .choice(["PostgreSQL", "SQLite"]), .required,
        "A database server, or a file for a director without one."),
      DirectiveSchema(
        "DB Name", .text,
        "The database's name, vault if not given; for SQLite a file in the Working Directory, catalog.sqlite if not given."
      ),
      DirectiveSchema("DB Address", .host, "The host of the database server; without it the local socket is used."),
      DirectiveSchema("DB Port", .integer(1...65_535), default: "5432", "The port of the database server."),
      DirectiveSchema("DB Socket", .path, "The directory of the database server's local socket."),
      DirectiveSchema(
        "DB User", aliases: ["User"], .text, default: "vault", "The role that the director is in the database."),
      DirectiveSchema(
        "DB Password", aliases: ["Password"], .secret, "That role's password, where the server asks for one."),
    ], check: checkCatalog)

  private static let client = BlockSchema(
    "Client", summary: "A file daemon, as the director sees it.",
    directives: [
      CommonDirectives.name, CommonDirectives.description,
      DirectiveSchema("Enabled", .yesNo, default: "yes", "Whether jobs of this client run."),
      DirectiveSchema("Address", aliases: ["FDAddress"], .host, "Where the director dials it."),
      CommonDirectives.port(9102, aliases: ["FDPort"], "The port that the director dials."),
      DirectiveSchema(
        "Lan Address", .host,
        "Its address in the local network; with one it dials a storage daemon at that's Lan Address."),
      CommonDirectives.password("The secret that it shares with the director."),
      DirectiveSchema("Catalog", .reference("Catalog"), "The catalog; there is only one."),
      DirectiveSchema(
        "Connection From Director To Client", .yesNo, default: "yes", "Whether the director may dial the client."),
      DirectiveSchema(
        "Connection From Client To Director", .yesNo, default: "no",
        "Whether the client may dial the director, which uses such a connection first."),
      CommonDirectives.concurrentJobs(1, "How many jobs of this client may run at once."),
      CommonDirectives.resourceHeartbeat,
    ] + CommonDirectives.tls
  ) { block, report in
    CommonDirectives.checkTLS(block, report)
    let isDialled = block.yesNo("Connection From Director To Client") ?? true
    if isDialled, block.position(of: "Address") == nil {
      report(
        block.position,
        "this Client has no Address: expected a host name or an IP address, or Connection From Director To Client = no")
    }
    if !isDialled, block.yesNo("Connection From Client To Director") == false {
      report(
        block.position(of: "Connection From Director To Client") ?? block.position,
        "nobody may dial: expected yes here or in Connection From Client To Director")
    }
  }

  private static let storage = BlockSchema(
    "Storage", summary: "A storage daemon and a kind of volumes that it has, as the director sees it.",
    directives: [
      CommonDirectives.name, CommonDirectives.description,
      DirectiveSchema("Enabled", .yesNo, default: "yes", "Whether jobs may use it."),
      DirectiveSchema(
        "Address", aliases: ["SDAddress"], .host, .required, "Where the director and the clients dial it."),
      CommonDirectives.port(9103, aliases: ["SDPort"], "The port that they dial."),
      DirectiveSchema("Lan Address", .host, "Where clients dial it that have a Lan Address too."),
      CommonDirectives.password("The secret that it shares with the director."),
      device,
      DirectiveSchema(
        "Media Type", .name, default: "File",
        "What kind of volumes the device has; a storage daemon that has it with another kind refuses jobs."),
      CommonDirectives.concurrentJobs(20, "How many jobs may use it at once."),
      CommonDirectives.resourceHeartbeat,
    ] + CommonDirectives.tls, check: CommonDirectives.checkTLS)

  private static let device: DirectiveSchema = {
    var device = DirectiveSchema(
      "Device", .name, .required, "The device that jobs use, as the storage daemon calls it.")
    device.insteadOfSeveral = "a director uses one device of a storage daemon"
    return device
  }()

  private static let pool = BlockSchema(
    "Pool", summary: "Volumes that belong together.",
    directives: [
      CommonDirectives.name, CommonDirectives.description,
      DirectiveSchema("Pool Type", .choice(["Backup"]), default: "Backup", "What the volumes are for."),
      DirectiveSchema(
        "Storage", .reference("Storage"), .repeated,
        "Where jobs that use this pool are stored, when they do not say so: on the first that is enabled."),
      DirectiveSchema(
        "Maximum Volume Bytes", .size(RepositoryConfiguration.volumeSizeRange),
        default: SizeText.render(RepositoryConfiguration.defaultVolumeSize), "How long a volume may become."),
      DirectiveSchema(
        "Label Format", .name, "What names of volumes begin with; without it the pool's name and a hyphen."),
    ], check: checkPool)

  private static let fileSet = BlockSchema(
    "FileSet", summary: "What of a client is saved.",
    directives: [CommonDirectives.name, CommonDirectives.description],
    blocks: [
      BlockSchema(
        "Include", .required, summary: "What is saved, and how.",
        directives: [
          DirectiveSchema("File", .path, .some, "A file or a directory, with everything below it.")
        ],
        blocks: [
          BlockSchema(
            "Options", .optional, summary: "Rules for everything that is included.",
            directives: [
              DirectiveSchema(
                "One FS", .yesNo, default: "yes", "Whether other file systems, mounted below, are left out."),
              DirectiveSchema(
                "Honor No Dump Flag", aliases: ["Honor NoDump Flag"], .yesNo, default: "yes",
                "Whether what has the nodump attribute is left out."),
              DirectiveSchema(
                "Exclude Caches", .yesNo, default: "no",
                "Whether the content of directories that hold a CACHEDIR.TAG is left out."),
              DirectiveSchema(
                "Exclude Larger Than", .size(1...UInt64(Int64.max)), "Regular files above this size are left out."),
              DirectiveSchema(
                "Compression", .compression, default: "lz4", "How the client compresses what it sends to be stored."),
            ])
        ]),
      BlockSchema(
        "Exclude", .optional, summary: "What is left out nevertheless.",
        directives: [
          DirectiveSchema(
            "File", .text, .repeated, "A pattern as in a .gitignore file; one that begins with a slash is a path.")
        ]),
    ])

  /// A job and the pattern of jobs say the same things.
  private static func jobs(_ keyword: String) -> BlockSchema {
    let isPattern = keyword == "JobDefs"
    let pattern = DirectiveSchema(
      "JobDefs", .reference("JobDefs"), "The pattern that gives what is not said here.")
    let type = DirectiveSchema(
      "Type", .choice(["Backup", "Restore"]), isPattern ? .optional : .required, "What the job does.")
    var directives = [CommonDirectives.name, CommonDirectives.description]
    if !isPattern { directives.append(pattern) }
    directives.append(type)
    directives += jobDirectives
    return BlockSchema(
      keyword, summary: isPattern ? "What several jobs have in common." : "What is to be done, with which client.",
      directives: directives, inherits: isPattern ? nil : "JobDefs",
      check: { block, report in if !isPattern { checkJob(block, report) } })
  }

  private static let jobDirectives = [
    DirectiveSchema("Enabled", .yesNo, default: "yes", "Whether the job runs."),
    DirectiveSchema(
      "Level", .choice(["Auto", "Full", "Differential", "Incremental"]), default: "Auto",
      "What a backup compares with; Auto is full the first time and incremental after."),
    DirectiveSchema(
      "Client", .reference("Client"), "Whose files; those that a restore takes when it is not told others."),
    DirectiveSchema(
      "FileSet", .reference("FileSet"),
      "Which files; those that a restore of the job's Client takes when it is not told."
    ),
    DirectiveSchema(
      "Storage", .reference("Storage"), .repeated, "Where to: the first that is enabled; without it the pool says so."),
    DirectiveSchema("Pool", .reference("Pool"), "Onto which volumes."),
    DirectiveSchema(
      "Messages", .reference("Messages"), "Where the job's messages go; without it where the director's go."),
    DirectiveSchema(
      "Priority", .integer(1...1_000), default: "10",
      "Which of the waiting jobs is first: the one with the lowest number."),
    CommonDirectives.concurrentJobs(1, "How many runs of this job may go on at once."),
    DirectiveSchema(
      "Where", .path, "The directory on the client that a restore goes below, unless it is told another."),
    DirectiveSchema(
      "Replace", .choice(["Never", "IfNewer", "Always"]), default: "Never",
      "What a restore does with a file that is there: keep it, replace it by a newer one, replace it."),
    DirectiveSchema(
      "Commit Interval", .duration(1...86_400), default: "30 seconds",
      "How often what was saved is put on stable storage and into the catalog."),
    DirectiveSchema(
      "Commit Size", .size(1 << 20...1 << 50), default: "1 GiB",
      "After how many bytes that is done too."),
  ]
}

// MARK: - What directives must go together

extension DirectorConfiguration {
  private static func checkCatalog(_ block: ConfigurationBlock, _ report: (SourcePosition, String) -> Void) {
    if block.name("DB Driver") == "SQLite" {
      for keyword in ["DB Address", "DB Port", "DB Socket", "DB User", "DB Password"] {
        if let place = block.position(of: keyword) {
          report(place, "\(keyword) is for PostgreSQL: SQLite has no server")
        }
      }
    } else if let place = block.position(of: "DB Socket"), block.position(of: "DB Address") != nil {
      report(place, "DB Socket and DB Address exclude each other")
    }
  }

  /// What a storage daemon takes for the beginning of volumes' names.
  private static func checkPool(_ block: ConfigurationBlock, _ report: (SourcePosition, String) -> Void) {
    let rule = "at most 100 letters, digits, dots, underscores and hyphens of ASCII, no dot first and no digit last"
    if let text = block.name("Label Format") {
      guard !VolumeName.isPrefix(text) else { return }
      report(
        block.position(of: "Label Format") ?? block.position,
        "Label Format: names of volumes cannot begin with \"\(shortened(text.utf8))\": expected \(rule)")
    } else if let name = block.name("Name"), !VolumeName.isPrefix("\(name)-") {
      report(
        block.position,
        "this Pool needs a Label Format, since names of volumes cannot begin with \"\(shortened("\(name)-".utf8))\": "
          + "expected \(rule)")
    }
  }

  /// Directives that only jobs of one kind have a use for, and whether those are backups.
  private static let directivesOfOneKind = [
    ("Level", true), ("Storage", true), ("Pool", true), ("Commit Interval", true), ("Commit Size", true),
    ("Where", false), ("Replace", false),
  ]

  private static func checkJob(_ block: ConfigurationBlock, _ report: (SourcePosition, String) -> Void) {
    let isBackup = block.name("Type") == "Backup"
    // A pattern may be one of several kinds of jobs: what it says too much is passed over.
    for (keyword, isOfBackups) in directivesOfOneKind where isOfBackups != isBackup {
      guard block.name("Type") != nil, let place = block.ownPosition(of: keyword) else { continue }
      report(
        place,
        isOfBackups
          ? "\(keyword) is for jobs of the Type Backup: a restore goes by what was saved"
          : "\(keyword) is for jobs of the Type Restore: a backup writes to no file")
    }
    guard isBackup else { return }
    for keyword in ["Client", "FileSet", "Pool"] where block.position(of: keyword) == nil {
      report(block.position, "this Job has no \(keyword): expected the name of a \(keyword), here or in its JobDefs")
    }
  }

  /// A backup's storage stands in the job or in its pool.
  private static func checkStorage(of resources: [ConfigurationBlock], _ report: (SourcePosition, String) -> Void) {
    var places: [String: Bool] = [:]
    for pool in CommonDirectives.all("Pool", in: resources) {
      if let name = pool.name("Name") { places[name] = pool.position(of: "Storage") != nil }
    }
    for job in CommonDirectives.all("Job", in: resources)
    where job.name("Type") == "Backup" && job.position(of: "Storage") == nil {
      if let pool = job.name("Pool"), places[pool] == false {
        report(
          job.position, "this Job has no Storage: expected the name of a Storage, here, in its JobDefs or in its Pool")
      }
    }
  }
}
