import VaultCatalog
import VaultConfiguration
import VaultModel
import VaultSystem

/// The catalog that a director's configuration names.
package enum CatalogOpening {
  /// Opens it, and makes it when there is none. Blocks its thread.
  ///
  /// - Parameter repository: the UUID that a new one gets, and its volumes.
  package static func open(
    _ configuration: DirectorConfiguration, repository: UniqueIdentifier = .random()
  ) throws -> any CatalogStore {
    switch configuration.catalog.driver {
    case .sqlite(let file):
      let directory = configuration.daemon.workingDirectory
      let path = file.bytes.first == 0x2f ? file : ByteString(directory.bytes + [0x2f] + file.bytes)
      return try SQLiteCatalog.open(path: path, mode: .createOrOpen, newRepository: repository)
    case .postgresql(let server):
      return try PostgreSQLCatalog.open(
        PostgreSQLParameters(server, director: configuration.daemon.name), newRepository: repository)
    }
  }

  /// Where the director finds volumes by their names, when they lie on the device of a storage.
  ///
  /// - Parameter storage: its name; nil where there is only one.
  /// - Throws: `QueueRefusal` when the configuration does not say which.
  package static func placing(
    _ configuration: DirectorConfiguration, storage name: String?
  ) throws -> @Sendable (String) -> String? {
    let storages = configuration.storages.filter { name == nil || $0.peer.name == name }
    guard let storage = storages.first else {
      throw QueueRefusal.noSuchResource("Storage", name ?? "")
    }
    guard storages.count == 1 else { throw QueueRefusal.severalStorages(storages.map(\.peer.name)) }
    return { volume in
      let prefix = volume.utf8.reversed().drop { (0x30...0x39).contains($0) }.reversed()
      return "\(storage.peer.name)/\(storage.device)/\(String(decoding: Array(prefix), as: UTF8.self))"
    }
  }

  /// Makes the role and the database of the configuration on its server, as a superuser; what is there stays. Blocks its thread.
  ///
  /// - Throws: `CatalogInitialization.notOnServer`; `CatalogError`.
  package static func initialize(
    _ configuration: DirectorConfiguration, superuser: String, password: String?
  ) throws {
    guard case .postgresql(let server) = configuration.catalog.driver else { throw CatalogInitialization.notOnServer }
    let own = PostgreSQLParameters(server, director: configuration.daemon.name)
    guard let ownPassword = own.password ?? (own.address == nil ? "" : nil) else {
      throw CatalogInitialization.noPassword
    }
    var parameters = own
    parameters.user = superuser
    parameters.password = password
    parameters.database = "postgres"
    try PostgreSQLCatalog.initialize(
      superuser: parameters, role: own.user, database: own.database, password: ownPassword)
  }
}

/// Why no catalog can be made.
package enum CatalogInitialization: DescribedError, Hashable {
  case notOnServer
  case noPassword

  package var exitStatus: ExitStatus { .usage }
  package var description: String {
    switch self {
    case .notOnServer: "The Catalog of dir.conf is on no server: SQLite needs nothing to be made."
    case .noPassword: "The Catalog of dir.conf has no DB Password, which the role is to have on a server at DB Address."
    }
  }
}

extension PostgreSQLParameters {
  fileprivate init(_ server: DirectorConfiguration.Catalog.Server, director: String) {
    var password: String?
    if case .typed(let bytes) = server.password { password = String(decoding: bytes, as: UTF8.self) }
    self.init(
      address: server.address?.text, port: server.port, socketDirectory: server.socket?.displayText,
      database: server.database.displayText, user: server.user.displayText, password: password,
      schema: Self.schema(ofDirector: director))
  }
}
