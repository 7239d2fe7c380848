import VaultModel

/// A connection that is set up for one catalog's schema, with what is remembered of it.
///
/// One thread at a time has it: the pool hands it out. Hence unchecked.
final class PostgreSQLConnection: @unchecked Sendable {
  private let server: ServerConnection
  private let faults: (any PostgreSQLFaults)?
  private var wasSevered = false
  /// What no other connection is called.
  private let identifier = Int64.random(in: .min ... .max)
  private var transactionCount: Int64 = 0

  /// Sessions and trees by their small numbers; emptied when a transaction is undone.
  private var sessionIdentifiers: [Int64: UniqueIdentifier] = [:]
  var treeNumbers: [Tree: Int64] = [:]

  init(_ server: consuming ServerConnection, faults: (any PostgreSQLFaults)? = nil) {
    self.server = server
    self.faults = faults
  }

  /// Whether it is of no more use.
  var isBroken: Bool { wasSevered || server.isBroken }

  /// Whether no transaction is open.
  var isIdle: Bool { !isBroken && server.isIdle }

  /// The server's process for this connection.
  var backend: Int64 { server.backend }

  // MARK: Statements

  /// Runs one statement and returns its rows, all of them in memory.
  func query(_ sql: String, _ values: [ServerValue] = []) throws(CatalogError) -> ServerResult {
    strike(.before, sql)
    let result = try server.query(sql, values)
    try refuseAfter(sql)
    return result
  }

  /// Runs one statement that takes its rows in the order of an index, never by sorting all there are; part of a
  /// transaction.
  func queryInOrder(_ sql: String, _ values: [ServerValue]) throws(CatalogError) -> ServerResult {
    try execute("SET LOCAL enable_sort = off")
    let result = try query(sql, values)
    try execute("SET LOCAL enable_sort = on")
    return result
  }

  /// Runs one statement again and again until it returns no more rows: the server is at the next ones while `visit` has some.
  ///
  /// - Parameter visit: returns false when it wants no more.
  func queryRepeatedly(
    _ sql: String, _ visit: (inout ServerResult) throws(CatalogError) -> Bool
  ) throws(CatalogError) {
    func send() throws(CatalogError) {
      strike(.before, sql)
      try server.send(sql)
    }
    func receive() throws(CatalogError) -> ServerResult {
      let result = try server.receive()
      try refuseAfter(sql)
      return result
    }
    try send()
    var result = try receive()
    while result.rowCount > 0 {
      try send()
      let wantsMore = Swift.Result { () throws(CatalogError) in try visit(&result) }
      // Whatever it wants, the connection must be free again.
      result = try receive()
      guard try wantsMore.get() else { return }
    }
  }

  /// Runs one statement; returns how many rows it changed.
  @discardableResult
  func run(_ sql: String, _ values: [ServerValue] = []) throws(CatalogError) -> Int {
    try query(sql, values).changedCount
  }

  /// The one number that a statement returns; nil when it returns no row or a null.
  func number(_ sql: String, _ values: [ServerValue] = []) throws(CatalogError) -> Int64? {
    var rows = try query(sql, values)
    guard rows.step(), !rows.isNull(0) else { return nil }
    return try rows.integer(0)
  }

  /// Runs statements without parameters whose results are of no interest.
  func execute(_ script: String) throws(CatalogError) {
    strike(.before, script)
    try server.execute(script)
    try refuseAfter(script)
  }

  /// Lets tables be joined as a whole until the transaction ends: where most of one is wanted, that is cheaper than row by row.
  func allowWholeJoins() throws(CatalogError) {
    try execute("SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on")
  }

  /// Sends the rows of a spool to a table; `change` may change them on their way.
  func copy(
    _ spool: RowSpool, to table: String,
    changing change: ((UnsafeMutableRawBufferPointer) throws(CatalogError) -> Int)? = nil
  ) throws(CatalogError) {
    let sql = "COPY \(table) FROM STDIN (FORMAT BINARY)"
    strike(.before, sql)
    try server.copy(sql) { sink throws(CatalogError) in try spool.send(changing: change, to: sink) }
    try refuseAfter(sql)
  }

  func verifier(ofPassword password: String, user: String) throws(CatalogError) -> String {
    try server.verifier(ofPassword: password, user: user)
  }

  // MARK: Transactions

  /// Begins a transaction that writes.
  ///
  /// - Returns: what tells later whether it was committed.
  func begin(_ mode: WritingMode) throws(CatalogError) -> TransactionTrace {
    try execute("BEGIN ISOLATION LEVEL \(mode == .byStatement ? "READ COMMITTED" : "REPEATABLE READ") READ WRITE")
    transactionCount += 1
    var rows = try query(
      """
      INSERT INTO transaction_trace(connection, number) VALUES ($1, $2)
      ON CONFLICT (connection) DO UPDATE SET number = excluded.number RETURNING pg_current_xact_id()::text
      """, [.integer(identifier), .integer(transactionCount)])
    guard rows.step() else { throw .corrupt("a transaction has no number") }
    return TransactionTrace(
      connection: identifier, number: transactionCount, serverNumber: try rows.text(0), backend: backend)
  }

  func commit() throws(CatalogError) {
    strike(.before, "COMMIT")
    try server.commit()
    try refuseAfter("COMMIT")
  }

  /// Undoes the transaction, if one is open and the server is there.
  func rollBack() {
    sessionIdentifiers = [:]
    treeNumbers = [:]
    if !isBroken, !server.isIdle { try? server.execute("ROLLBACK") }
  }

  /// Whether a transaction of a connection that broke was committed; afterwards it is over, one way or the other.
  ///
  /// What it wrote tells. Its number on the server does not: a server that crashed gives the numbers of transactions that it
  /// did not get to write down to others.
  ///
  /// - Throws: `.unreachable` while the server has not ended it yet.
  func isCommitted(_ trace: TransactionTrace) throws(CatalogError) -> Bool {
    let holds = try number(
      """
      SELECT pg_terminate_backend(pid)::int::int8 FROM pg_stat_activity
      WHERE pid = $1 AND usename = current_user AND backend_xid = $2::xid8::xid
      """, [.integer(trace.backend), .text(trace.serverNumber)])
    guard holds == nil else {
      throw CatalogError(.unreachable, "the server still holds the transaction of a connection that was lost")
    }
    return try number(
      "SELECT 1::int8 FROM transaction_trace WHERE connection = $1 AND number = $2",
      [.integer(trace.connection), .integer(trace.number)]) != nil
  }

  // MARK: Faults

  private func strike(_ moment: FaultMoment, _ sql: String) {
    guard let faults, faults.strikes(moment, sql) else { return }
    server.sever()
    wasSevered = true
  }

  private func refuseAfter(_ sql: String) throws(CatalogError) {
    strike(.after, sql)
    if wasSevered { throw CatalogError(.unreachable, "the connection was cut") }
  }
}

/// What a transaction that writes sees, and what comes of it.
enum WritingMode {
  /// Each statement sees what is there when it begins.
  case byStatement
  /// All statements see one snapshot.
  case onSnapshot
  /// All statements see one snapshot, and nothing that they did happens.
  case rehearsal
}

/// What finds a transaction again on another connection.
struct TransactionTrace {
  /// The connection that it was made on.
  var connection: Int64
  /// Its number there.
  var number: Int64
  /// The server's number for it, with epoch.
  var serverNumber: String
  var backend: Int64
}

extension PostgreSQLConnection: SessionNames {
  func session(_ number: Int64) throws(CatalogError) -> UniqueIdentifier {
    if let known = sessionIdentifiers[number] { return known }
    var rows = try query("SELECT uuid FROM session WHERE id = $1", [.integer(number)])
    guard rows.step() else { throw .corrupt("an entry refers to a session that is not there") }
    let identifier = try rows.identifier(0)
    sessionIdentifiers[number] = identifier
    return identifier
  }
}

extension PostgreSQLConnection {
  /// A number that the catalog orders by, so that it must fit signed integers.
  func ordered(_ value: UInt64) throws(CatalogError) -> Int64 {
    guard let number = Int64(exactly: value) else {
      throw CatalogError(.outOfRange, "the number \(value) is too large")
    }
    return number
  }
}

extension UniqueIdentifier {
  /// The 16 bytes in network order, as a parameter.
  var serverValue: ServerValue { .bytes(withBytes { Array($0) }) }
}
