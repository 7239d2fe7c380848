import VaultModel

extension PostgreSQLCatalog {
  /// Connects, brings the director's schema to this program's version and keeps it from every other process.
  ///
  /// A server that is away is not waited for.
  /// - Parameter newRepository: the repository's UUID if the catalog is made now.
  /// - Throws: `.unreachable`, `.refused`, `.busy`, `.newerSchema`, `.notACatalog`; the schema is as it was.
  package static func open(
    _ parameters: PostgreSQLParameters, newRepository: UniqueIdentifier,
    options: PostgreSQLOptions = PostgreSQLOptions()
  ) throws(CatalogError) -> PostgreSQLCatalog {
    let place = ByteString(parameters.place)
    do throws(CatalogError) {
      let connector = Connector(parameters, options)
      let connection = try connector.seize()
      let repository = try connection.migrate(schema: parameters.schema, newRepository: newRepository)
      try connector.beginWork(connection)
      return PostgreSQLCatalog(repository: repository, place: place, connector: connector, options: options)
    } catch {
      throw error.located(activity: "opening it", path: place, isOnServer: true)
    }
  }

  /// Makes the role and the database that a director's catalog needs, through a superuser's connection; what is there
  /// already stays, but for the role's password.
  ///
  /// - Parameter superuser: how to reach the server; its database is any that exists, its schema is not used.
  /// - Throws: `.unreachable`, `.refused`; `.conflict` when the role is a superuser.
  package static func initialize(
    superuser: PostgreSQLParameters, role: String, database: String, password: String,
    options: PostgreSQLOptions = PostgreSQLOptions()
  ) throws(CatalogError) {
    do throws(CatalogError) {
      let server = try ServerConnection(
        superuser.settings + [("application_name", "vault")], timeout: options.connectTimeout, clock: options.clock)
      try PostgreSQLConnection(server).initialize(role: role, database: database, password: password)
    } catch {
      throw error.located(
        activity: "making role and database", path: ByteString("server of \(superuser.place)"), isOnServer: true)
    }
  }
}

extension PostgreSQLConnection {
  fileprivate func initialize(role: String, database: String, password: String) throws(CatalogError) {
    let quotedRole = try SQLQuoting.identifier(role)
    let quotedDatabase = try SQLQuoting.identifier(database)
    let isSuperuser = try number("SELECT rolsuper::int::int8 FROM pg_roles WHERE rolname = $1", [.text(role)])
    guard isSuperuser != 1 else {
      throw CatalogError(.conflict, "the role \(role) is a superuser; a catalog's must not be one")
    }
    if isSuperuser == nil {
      try execute("CREATE ROLE \(quotedRole) LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION")
    }
    let verifier = try SQLQuoting.literal(try verifier(ofPassword: password, user: role))
    try execute("ALTER ROLE \(quotedRole) LOGIN PASSWORD \(verifier)")
    let exists = try number("SELECT count(*) FROM pg_database WHERE datname = $1", [.text(database)])
    if exists == 0 {
      try execute(
        """
        CREATE DATABASE \(quotedDatabase) OWNER \(quotedRole) ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0
        """)
    }
    try execute("GRANT CONNECT, CREATE, TEMPORARY ON DATABASE \(quotedDatabase) TO \(quotedRole)")
  }
}
