import VaultModel

/// The database with its compiled statements and what is remembered of it; used by one thread at a time.
final class CatalogConnection {
  /// The database file, for messages.
  let path: ByteString
  private var database: Database?
  private var statements: [String: CachedStatement] = [:]

  /// Sessions and trees by their small numbers and back; emptied when a transaction is undone.
  var sessionNumbers: [UniqueIdentifier: Int64] = [:]
  var sessionIdentifiers: [Int64: UniqueIdentifier] = [:]
  var treeNumbers: [Tree: Int64] = [:]

  /// Selections whose sorted rows wait, by their numbers.
  var selections: [Int: WaitingSelection] = [:]
  /// What the rows of all that wait may take in memory; others wait in temporary tables.
  var sortByteCount = 0
  var selectionCount = 0
  /// Selections that were begun and not ended.
  var notedSelections: Set<SelectionNumber> = []
  var hasTemporaryTables = false
  /// Whether the inode index is known to be there.
  var hasInodeIndex = false
  /// The job whose staged inodes are indexed in a temporary table.
  var indexedStage: Int64?

  init(_ database: consuming Database, path: ByteString) {
    self.database = consume database
    self.path = path
  }

  /// The compiled form of `sql`, ready to run.
  func statement(_ sql: String) throws(CatalogError) -> CachedStatement {
    if let known = statements[sql] {
      known.statement.reset()
      return known
    }
    let compiled = CachedStatement(try prepare(sql))
    statements[sql] = compiled
    return compiled
  }

  /// Throws away the compiled statements that mention a table which is about to go.
  func forget(_ table: String) {
    statements = statements.filter { !$0.key.contains(table + " ") && !$0.key.contains(table + "(") }
  }

  /// Runs statements that return nothing of interest.
  func execute(_ script: String) throws(CatalogError) {
    switch database {
    case .some(let open): try open.execute(script)
    case .none: throw Self.wasClosed
    }
  }

  /// The one number that a statement without parameters returns; 0 when it returns no row.
  func number(_ sql: String) throws(CatalogError) -> Int64 {
    let statement = try prepare(sql)
    return try statement.step() ? statement.integer(0) : 0
  }

  /// The one text that a statement without parameters returns; empty when it returns no row.
  func text(_ sql: String) throws(CatalogError) -> String {
    let statement = try prepare(sql)
    return try statement.step() ? statement.text(0) : ""
  }

  /// Runs `body` in one transaction: all of it is durable after, or nothing of it happened.
  ///
  /// - Durability: the log, or the database itself, is synced when this returns.
  func transaction<Result>(
    _ body: () throws(CatalogError) -> Result
  ) throws(CatalogError) -> Result {
    try execute("BEGIN IMMEDIATE")
    do {
      let result = try body()
      try execute("COMMIT")
      return result
    } catch {
      rollBack()
      throw error
    }
  }

  /// Virtual machine steps of all statements so far: what a query costs, counted instead of timed.
  var stepCount: Int64 { statements.values.reduce(0) { $0 + $1.statement.stepCount } }

  /// Sorts of all statements so far.
  var sortCount: Int64 { statements.values.reduce(0) { $0 + $1.statement.sortCount } }

  /// Brings everything into the one database file and closes it.
  func close() throws(CatalogError) {
    guard database != nil else { return }
    statements = [:]
    selections = [:]
    var failure: CatalogError?
    do {
      try checkpoint()
    } catch {
      failure = error
    }
    if let open = database.take() { try open.close() }
    if let failure { throw failure }
  }

  /// - Throws: `.closed`, for calls that read what is in memory.
  func checkOpen() throws(CatalogError) {
    if database == nil { throw Self.wasClosed }
  }

  private static var wasClosed: CatalogError { CatalogError(.closed, "it was closed before") }

  /// Without a write-ahead log the statement does nothing.
  private func checkpoint() throws(CatalogError) {
    let statement = try prepare("PRAGMA wal_checkpoint(TRUNCATE)")
    guard try statement.step(), statement.integer(0) != 0 else { return }
    throw CatalogError(.busy, "the write-ahead log could not be emptied")
  }

  private func prepare(_ sql: String) throws(CatalogError) -> Statement {
    switch database {
    case .some(let open): return try open.prepare(sql)
    case .none: throw Self.wasClosed
    }
  }

  /// SQLite may have undone the transaction itself after a full disk or a failed write.
  func rollBack() {
    for cached in statements.values { cached.statement.reset() }
    sessionNumbers = [:]
    sessionIdentifiers = [:]
    treeNumbers = [:]
    switch database {
    case .some(let open): if !open.isAutocommitting { try? open.execute("ROLLBACK") }
    case .none: break
    }
  }
}

extension CatalogConnection {
  /// A number that the catalog orders by, so that it must fit SQLite's signed integers.
  func ordered(_ value: UInt64) throws(CatalogError) -> Int64 {
    guard let number = Int64(exactly: value) else {
      throw CatalogError(.outOfRange, "the number \(value) is too large")
    }
    return number
  }
}
