import VaultSystem

/// How a catalog uses its server.
package struct PostgreSQLOptions: Sendable {
  /// How many connections work at once, beside the one that keeps the catalog from other processes.
  package var connectionLimit = 8
  /// For how long a call waits for a server that is away.
  package var patience: Duration = .seconds(300)
  /// For how long one attempt to connect may take.
  package var connectTimeout: Duration = .seconds(10)
  /// What the sorted rows of selections that are read at once may take in this process's memory; others wait on the server.
  package var sortByteCount = 16 << 20
  /// What patience is measured with.
  package var clock: any VaultClock = SystemClock()
  /// Waits before the next attempt; nil waits in real time, until the catalog is closed.
  package var pause: (@Sendable (Duration) -> Void)?
  /// Where tests cut connections.
  package var faults: (any PostgreSQLFaults)?

  package init() {}
}

/// Faults for tests: told of every statement, and whether its connection breaks there.
package protocol PostgreSQLFaults: Sendable {
  func strikes(_ moment: FaultMoment, _ statement: String) -> Bool
}

/// When a connection breaks, as seen from a statement.
package enum FaultMoment: Sendable {
  /// The server never gets it.
  case before
  /// The server did it, and nobody hears of it.
  case after
}
