import Synchronization
import VaultSystem

/// A bounded number of connections that calls take turns with.
final class ConnectionPool: Sendable {
  private struct State {
    var idle: [PostgreSQLConnection] = []
    var openCount = 0
    var isClosed = false
  }

  private let state = Mutex(State())
  private let changes = Monitor()
  private let limit: Int

  init(limit: Int) { self.limit = max(limit, 1) }

  /// Lends a connection to `work`, a new one from `connect` when none is idle; waits while all are taken.
  ///
  /// A connection that is broken or still in a transaction afterwards is not lent again.
  func withConnection<Result>(
    connect: () throws(CatalogError) -> PostgreSQLConnection,
    _ work: (PostgreSQLConnection) throws(CatalogError) -> Result
  ) throws(CatalogError) -> Result {
    let connection: PostgreSQLConnection
    if let idle = try reserve() {
      connection = idle
    } else {
      do throws(CatalogError) { connection = try connect() } catch {
        giveUp()
        throw error
      }
    }
    defer { giveBack(connection) }
    return try work(connection)
  }

  /// Closes idle connections now and others when they come back; refuses and wakes whoever waits.
  func close() {
    state.withLock { state in
      state.isClosed = true
      state.openCount -= state.idle.count
      state.idle = []
    }
    changes.signal()
  }

  /// An idle connection, or nil with the right to make one.
  private func reserve() throws(CatalogError) -> PostgreSQLConnection? {
    while true {
      let ticket = changes.ticket()
      let found = try state.withLock { state throws(CatalogError) -> (isReserved: Bool, PostgreSQLConnection?) in
        guard !state.isClosed else { throw CatalogError(.closed, "it was closed before") }
        if let idle = state.idle.popLast() { return (true, idle) }
        guard state.openCount < limit else { return (false, nil) }
        state.openCount += 1
        return (true, nil)
      }
      if found.isReserved { return found.1 }
      changes.wait(since: ticket)
    }
  }

  private func giveBack(_ connection: PostgreSQLConnection) {
    let isUseful = connection.isIdle
    state.withLock { state in
      if isUseful, !state.isClosed { state.idle.append(connection) } else { state.openCount -= 1 }
      // After a restart of the server none of the others is of use either; each finds out at once.
      if connection.isBroken {
        state.openCount -= state.idle.count
        state.idle = []
      }
    }
    changes.signal()
  }

  private func giveUp() {
    state.withLock { $0.openCount -= 1 }
    changes.signal()
  }
}
