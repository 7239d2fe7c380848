import Synchronization

/// Makes connections for one catalog, and keeps the catalog from every other process.
///
/// Two advisory locks stand for a catalog. A dedicated connection holds the first, exclusively; each working connection
/// shares the second. A process that opens the catalog must get both, so that it meets neither another process nor
/// connections that one left behind.
final class Connector: Sendable {
  private let parameters: PostgreSQLParameters
  private let options: PostgreSQLOptions
  /// Tells this process's connections from those of others.
  private let applicationName = "vault-" + String(UInt64.random(in: .min ... .max), radix: 16)
  private let keeper = Mutex(Keeper())
  private let keeping = Mutex(())

  /// The connection that keeps the catalog, until nobody shall.
  private struct Keeper {
    var connection: PostgreSQLConnection?
    var isClosed = false

    mutating func take(_ connection: PostgreSQLConnection) throws(CatalogError) {
      guard !isClosed else { throw CatalogError(.closed, "it was closed meanwhile") }
      self.connection = connection
    }
  }

  init(_ parameters: PostgreSQLParameters, _ options: PostgreSQLOptions) {
    self.parameters = parameters
    self.options = options
  }

  /// Takes the catalog for this process.
  ///
  /// - Returns: the connection that keeps it; it may be used until work begins.
  /// - Throws: `.busy` when another process has it.
  func seize() throws(CatalogError) -> PostgreSQLConnection {
    let connection = try connect(faults: nil)
    guard try tries("pg_try_advisory_lock", .catalog, connection), try tries("pg_try_advisory_lock", .work, connection)
    else { throw CatalogError(.busy, "another director works with this schema") }
    try keeper.withLock { keeper throws(CatalogError) in try keeper.take(connection) }
    return connection
  }

  /// Lets working connections come.
  func beginWork(_ connection: PostgreSQLConnection) throws(CatalogError) {
    _ = try tries("pg_advisory_unlock", .work, connection)
  }

  /// A connection to work with; the catalog is this process's.
  func makeConnection() throws(CatalogError) -> PostgreSQLConnection {
    try keep()
    let connection = try connect(faults: options.faults)
    guard try tries("pg_try_advisory_lock_shared", .work, connection) else {
      throw CatalogError(.busy, "another director is opening this schema")
    }
    return connection
  }

  /// Gives the catalog up for good.
  func close() { keeper.withLock { $0 = Keeper(isClosed: true) } }

  /// Takes the catalog again if the server was restarted. Threads that connect at once take turns: a connection is one's at a time.
  private func keep() throws(CatalogError) {
    try keeping.withLock { _ throws(CatalogError) in try keepAlone() }
  }

  private func keepAlone() throws(CatalogError) {
    let old = keeper.withLock { $0.connection }
    if let old {
      do throws(CatalogError) {
        try old.execute("SELECT 1")
        return
      } catch  where error.kind == .unreachable {}
    }
    let connection = try connect(faults: nil)
    guard try tries("pg_try_advisory_lock", .catalog, connection) else {
      try endGhost(connection)
      throw CatalogError(.busy, "another director has taken this schema while the connection was lost")
    }
    try keeper.withLock { keeper throws(CatalogError) in try keeper.take(connection) }
  }

  /// Ends a connection of ours that broke and that the server still believes in.
  private func endGhost(_ connection: PostgreSQLConnection) throws(CatalogError) {
    let ended = try connection.number(
      """
      SELECT count(pg_terminate_backend(l.pid)) FROM pg_locks AS l JOIN pg_stat_activity AS a ON a.pid = l.pid
      WHERE l.locktype = 'advisory' AND a.application_name = $1 AND l.pid <> pg_backend_pid()
        AND ((l.classid::int8 << 32) | l.objid::int8) = hashtextextended($2, 0) AND l.granted
      """, [.text(applicationName), .text(lockName(.catalog))])
    if let ended, ended > 0 {
      throw CatalogError(.unreachable, "the server still holds a connection that was lost")
    }
  }

  // MARK: Locks

  private enum Lock: String {
    case catalog
    case work
  }

  private func lockName(_ lock: Lock) -> String { "vault \(lock.rawValue) \(parameters.schema)" }

  private func tries(
    _ function: String, _ lock: Lock, _ connection: PostgreSQLConnection
  ) throws(CatalogError) -> Bool {
    try connection.number(
      "SELECT \(function)(hashtextextended($1, 0))::int::int8", [.text(lockName(lock))]) == 1
  }

  private func connect(faults: (any PostgreSQLFaults)?) throws(CatalogError) -> PostgreSQLConnection {
    let server = try ServerConnection(
      parameters.settings + [("application_name", applicationName)], timeout: options.connectTimeout,
      clock: options.clock)
    try server.execute(
      """
      SET search_path = \(SQLQuoting.identifier(parameters.schema)), pg_catalog, pg_temp;
      SET client_min_messages = warning;
      SET statement_timeout = 0;
      SET lock_timeout = 0;
      SET idle_in_transaction_session_timeout = 0;
      SET idle_session_timeout = 0;
      SET work_mem = '64MB';
      SET jit = off;
      SET max_parallel_workers_per_gather = 0;
      SET enable_hashjoin = off;
      SET enable_mergejoin = off;
      SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'
      """)
    return PostgreSQLConnection(server, faults: faults)
  }
}
