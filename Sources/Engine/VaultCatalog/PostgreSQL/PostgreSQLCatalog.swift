import Synchronization
import VaultModel
import VaultSystem

/// The catalog in a schema of a PostgreSQL database.
///
/// It holds what `SQLiteCatalog` holds, by the same rules; vault-catalog(7) is normative. Calls come from any thread and
/// work side by side, each on a connection of its own.
///
/// A call that meets a server which is away waits for it and begins again. Of a transaction whose end it did not hear,
/// it asks the server whether it was committed, so that every call happens once.
package final class PostgreSQLCatalog: CatalogStore {
  package let repository: UniqueIdentifier
  let place: ByteString
  let options: PostgreSQLOptions
  let connector: Connector
  private let pool: ConnectionPool
  private let closing = Monitor()
  private let isClosed = Mutex(false)
  /// Selections, and what else waits between calls.
  let waiting = Mutex(WaitingTables())

  init(repository: UniqueIdentifier, place: ByteString, connector: Connector, options: PostgreSQLOptions) {
    self.repository = repository
    self.place = place
    self.connector = connector
    self.options = options
    pool = ConnectionPool(limit: options.connectionLimit)
  }

  /// Closes the connections; a call that waits for the server ends with `.closed`.
  package func close() throws(CatalogError) {
    isClosed.withLock { $0 = true }
    closing.signal()
    let sorted = waiting.withLock { waiting in
      waiting.isClosed = true
      defer { (waiting.collected, waiting.sorted) = ([:], [:]) }
      return (waiting.collected, waiting.sorted)
    }
    withExtendedLifetime(sorted) {}
    pool.close()
    connector.close()
  }

  // MARK: Calls

  /// Runs `work` on one snapshot of the catalog; it may be run again and so must not tell anybody anything.
  func read<Result>(
    _ activity: String, _ work: (PostgreSQLConnection) throws(CatalogError) -> Result
  ) throws(CatalogError) -> Result {
    try withConnection(activity) { connection throws(CatalogError) in
      try connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ WRITE")
      do throws(CatalogError) {
        let result = try work(connection)
        try connection.execute("COMMIT")
        return result
      } catch {
        connection.rollBack()
        throw error
      }
    }
  }

  /// Runs `work` in one durable transaction; it may be run again after it was undone, and so must not tell anybody
  /// anything.
  func write<Result>(
    _ activity: String, as mode: WritingMode = .byStatement,
    _ work: (PostgreSQLConnection) throws(CatalogError) -> Result
  ) throws(CatalogError) -> Result {
    var lost: (trace: TransactionTrace, result: Result?)?
    return try withConnection(activity) { connection throws(CatalogError) in
      if let (trace, result) = lost {
        let isCommitted = try connection.isCommitted(trace)
        if isCommitted, let result { return result }
        lost = nil
      }
      let trace = try connection.begin(mode)
      var result: Result?
      do throws(CatalogError) {
        let done = try work(connection)
        guard mode != .rehearsal else {
          connection.rollBack()
          return done
        }
        result = done
        try connection.commit()
        return done
      } catch {
        if connection.isBroken { lost = (trace, result) }
        connection.rollBack()
        throw error
      }
    }
  }

  private func withConnection<Result>(
    _ activity: String, _ work: (PostgreSQLConnection) throws(CatalogError) -> Result
  ) throws(CatalogError) -> Result {
    try retrying(activity) { () throws(CatalogError) -> Result in
      try pool.withConnection(connect: connector.makeConnection, work)
    }
  }

  /// Runs `work`, and again while the server is away, as long as there is patience for it.
  func retrying<Result>(
    _ activity: String, _ work: () throws(CatalogError) -> Result
  ) throws(CatalogError) -> Result {
    var patience = Patience(options, closing: closing)
    while true {
      do throws(CatalogError) {
        guard !isClosed.withLock({ $0 }) else { throw CatalogError(.closed, "it was closed before") }
        return try work()
      } catch {
        guard !isClosed.withLock({ $0 }) || error.kind == .closed else {
          throw CatalogError(.closed, "it was closed meanwhile").located(
            activity: activity, path: place, isOnServer: true)
        }
        guard patience.waits(after: error) else {
          throw error.located(activity: activity, path: place, isOnServer: true)
        }
      }
    }
  }

  /// Gives rows to a caller's closure.
  func give<Element>(_ rows: [Element], _ visit: (Element) throws -> Void) throws(CatalogError) {
    for row in rows { do { try visit(row) } catch { throw CatalogError.fromCaller(error) } }
  }
}

/// How long a call still waits for what stands in its way.
private struct Patience {
  private let options: PostgreSQLOptions
  private let closing: Monitor
  private var start: UInt64?
  private var delay = Duration.milliseconds(50)
  private var collisionCount = 0

  private static let longestDelay = Duration.seconds(5)
  private static let collisionLimit = 20

  init(_ options: PostgreSQLOptions, closing: Monitor) {
    self.options = options
    self.closing = closing
  }

  /// Waits before the next attempt; false when there should be none.
  mutating func waits(after error: CatalogError) -> Bool {
    if error.isCollision {
      collisionCount += 1
      return collisionCount <= Self.collisionLimit
    }
    guard error.kind == .unreachable else { return false }
    let now = options.clock.monotonicNanoseconds()
    guard let start else {
      // A connection that went while it was idle costs no waiting.
      start = now
      return options.patience > .zero
    }
    let elapsed = Duration.nanoseconds(Int64(clamping: now &- start))
    guard elapsed + delay <= options.patience else { return false }
    if let pause = options.pause { pause(delay) } else { wait() }
    delay = min(delay * 2, Self.longestDelay)
    return true
  }

  private func wait() {
    let (seconds, attoseconds) = delay.components
    let nanoseconds = UInt64(clamping: seconds) * 1_000_000_000 + UInt64(clamping: attoseconds / 1_000_000_000)
    _ = closing.wait(since: closing.ticket(), nanoseconds: nanoseconds)
  }
}
