import VaultModel

/// What a director's configuration says, checked: every name in it names something.
package struct DirectorConfiguration: Sendable {
  package struct Catalog: Hashable, Sendable {
    package enum Driver: Hashable, Sendable {
      /// The file's path, as it was written.
      case sqlite(file: ByteString)
      case postgresql(Server)
    }

    package struct Server: Hashable, Sendable {
      /// nil for the local socket.
      package var address: HostAddress?
      package var port: UInt16
      /// The socket's directory; nil for where libpq looks by itself.
      package var socket: ByteString?
      package var database: ByteString
      package var user: ByteString
      package var password: Password?
    }

    package var name: String
    package var driver: Driver
  }

  package struct Client: Hashable, Sendable {
    package var peer: PeerParameters
    package var isEnabled: Bool
    package var address: HostAddress?
    package var port: UInt16
    package var lanAddress: HostAddress?
    package var mayBeDialled: Bool
    package var mayDial: Bool
    package var concurrentJobLimit: Int
  }

  package struct Storage: Hashable, Sendable {
    package var peer: PeerParameters
    package var isEnabled: Bool
    package var address: HostAddress
    package var port: UInt16
    package var lanAddress: HostAddress?
    package var device: String
    package var mediaType: String
    package var concurrentJobLimit: Int
  }

  package struct Pool: Hashable, Sendable {
    package var name: String
    package var storages: [String]
    package var maximumVolumeBytes: UInt64
    /// What volumes' names begin with.
    package var labelFormat: String
  }

  package struct FileSet: Hashable, Sendable {
    package var name: String
    package var files: [ByteString]
    package var staysOnFileSystem: Bool
    package var honorsNoDump: Bool
    package var excludesCaches: Bool
    package var excludesLargerThan: UInt64?
    package var excludedPatterns: [ByteString]
    package var compression: Compression
  }

  package struct Job: Hashable, Sendable {
    package enum Kind: Sendable { case backup, restore }
    /// How much a backup compares with; nil is full the first time and incremental after.
    package typealias Level = JobLevel?
    package enum Replacement: Sendable { case never, ifNewer, always }

    package var name: String
    package var isEnabled: Bool
    package var kind: Kind
    package var level: Level
    package var client: String?
    package var fileSet: String?
    /// Those of the pool where the job names none.
    package var storages: [String]
    package var pool: String?
    /// Those of the director where the job names none.
    package var messages: String?
    package var priority: Int
    package var concurrentJobLimit: Int
    package var restoreDirectory: ByteString?
    package var replacement: Replacement
    package var commitSeconds: UInt64
    package var commitBytes: UInt64
  }

  package var daemon: DaemonParameters
  /// The secret of consoles without a name.
  package var password: Password?
  package var reconnectWindowSeconds: UInt64
  package var clientConnectSeconds: UInt64
  package var storageConnectSeconds: UInt64
  package var consoles: [PeerParameters]
  package var catalog: Catalog
  package var clients: [Client]
  package var storages: [Storage]
  package var pools: [Pool]
  package var fileSets: [FileSet]
  package var jobs: [Job]
  package var messages: [MessagesResource]
}

extension DirectorConfiguration: DaemonConfiguration {
  package init(_ resources: ResourceTable) {
    let director = resources.one("Director")
    daemon = DaemonParameters(director)
    password = director.password("Password")
    reconnectWindowSeconds = director.requiredNumber("Reconnect Window")
    clientConnectSeconds = director.requiredNumber("FD Connect Timeout")
    storageConnectSeconds = director.requiredNumber("SD Connect Timeout")
    consoles = resources.all("Console").map { PeerParameters($0) }
    catalog = Catalog(resources.one("Catalog"))
    clients = resources.all("Client").map { Client($0) }
    storages = resources.all("Storage").map { Storage($0) }
    pools = resources.all("Pool").map { Pool($0) }
    let storagesOfPools = Dictionary(pools.map { ($0.name, $0.storages) }) { first, _ in first }
    fileSets = resources.all("FileSet").map { FileSet($0) }
    let ownMessages = daemon.messages
    jobs = resources.all("Job").map { Job($0, storagesOfPools: storagesOfPools, messages: ownMessages) }
    messages = resources.all("Messages").map { MessagesResource($0) }
  }
}

extension DirectorConfiguration.Catalog {
  fileprivate init(_ block: ConfigurationBlock) {
    name = block.requiredName("Name")
    guard block.requiredName("DB Driver") == "PostgreSQL" else {
      driver = .sqlite(file: block.text("DB Name") ?? "catalog.sqlite")
      return
    }
    driver = .postgresql(
      DirectorConfiguration.Catalog.Server(
        address: block.host("DB Address"), port: UInt16(clamping: block.requiredNumber("DB Port")),
        socket: block.text("DB Socket"), database: block.text("DB Name") ?? "vault",
        user: block.requiredText("DB User"), password: block.text("DB Password").map { .typed($0.bytes) }))
  }
}

extension DirectorConfiguration.Client {
  fileprivate init(_ block: ConfigurationBlock) {
    peer = PeerParameters(block)
    isEnabled = block.isYes("Enabled")
    address = block.host("Address")
    port = UInt16(clamping: block.requiredNumber("Port"))
    lanAddress = block.host("Lan Address")
    mayBeDialled = block.isYes("Connection From Director To Client")
    mayDial = block.isYes("Connection From Client To Director")
    concurrentJobLimit = block.count("Maximum Concurrent Jobs")
  }
}

extension DirectorConfiguration.Storage {
  fileprivate init(_ block: ConfigurationBlock) {
    peer = PeerParameters(block)
    isEnabled = block.isYes("Enabled")
    address = block.requiredHost("Address")
    port = UInt16(clamping: block.requiredNumber("Port"))
    lanAddress = block.host("Lan Address")
    device = block.requiredName("Device")
    mediaType = block.requiredName("Media Type")
    concurrentJobLimit = block.count("Maximum Concurrent Jobs")
  }
}

extension DirectorConfiguration.Pool {
  fileprivate init(_ block: ConfigurationBlock) {
    name = block.requiredName("Name")
    storages = block.names("Storage")
    maximumVolumeBytes = block.requiredNumber("Maximum Volume Bytes")
    labelFormat = block.name("Label Format") ?? "\(name)-"
  }
}

extension DirectorConfiguration.FileSet {
  fileprivate init(_ block: ConfigurationBlock) {
    name = block.requiredName("Name")
    let include = block.inside("Include")
    let options = include.inside("Options")
    files = include.texts("File")
    staysOnFileSystem = options.isYes("One FS")
    honorsNoDump = options.isYes("Honor No Dump Flag")
    excludesCaches = options.isYes("Exclude Caches")
    excludesLargerThan = options.number("Exclude Larger Than")
    excludedPatterns = block.inside("Exclude").texts("File")
    compression = options.compression("Compression") ?? .lz4
  }
}

extension DirectorConfiguration.Job {
  fileprivate init(_ block: ConfigurationBlock, storagesOfPools: [String: [String]], messages ownMessages: String?) {
    name = block.requiredName("Name")
    isEnabled = block.isYes("Enabled")
    kind = block.requiredName("Type") == "Restore" ? .restore : .backup
    level = JobLevel(rawValue: block.requiredName("Level").lowercased())
    client = block.name("Client")
    fileSet = block.name("FileSet")
    let pool = block.name("Pool")
    self.pool = pool
    let own = block.names("Storage")
    storages = own.isEmpty ? pool.flatMap { storagesOfPools[$0] } ?? [] : own
    messages = block.name("Messages") ?? ownMessages
    priority = block.count("Priority")
    concurrentJobLimit = block.count("Maximum Concurrent Jobs")
    restoreDirectory = block.text("Where")
    replacement =
      switch block.requiredName("Replace") {
      case "Always": .always
      case "IfNewer": .ifNewer
      default: .never
      }
    commitSeconds = block.requiredNumber("Commit Interval")
    commitBytes = block.requiredNumber("Commit Size")
  }
}
