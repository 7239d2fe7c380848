import Synchronization
import VaultModel

/// The rows of a selection, sorted: a cursor that outlives its transaction, on a connection of its own.
///
/// Reads take turns, as the connection is one thread's at a time. They go with the connection.
final class SortedRows: Sendable {
  private let connection: PostgreSQLConnection
  /// How many there are.
  let count: Int64
  /// The row that the cursor stands on; nil when that is not known.
  private let position = Mutex<Int64?>(0)

  /// Takes over a connection with the cursor on it, which stands before the first row.
  init(on connection: PostgreSQLConnection, count: Int64) {
    self.connection = connection
    self.count = count
  }

  /// Up to `limit` rows after a row.
  func rows(after row: Int64, limit: Int) throws(CatalogError) -> [StateRow] {
    try position.withLock { position throws(CatalogError) in try rows(after: row, limit: limit, &position) }
  }

  private func rows(after row: Int64, limit: Int, _ position: inout Int64?) throws(CatalogError) -> [StateRow] {
    if position != row { try connection.run("MOVE ABSOLUTE \(row) IN \(ServerSelection.cursor)") }
    position = nil
    var found = try connection.query("FETCH FORWARD \(limit) FROM \(ServerSelection.cursor)")
    guard row >= count || found.rowCount == min(Int64(limit), count - row) else { throw CatalogError.selectionHasGone }
    var reader = StateRowReader(connection)
    var rows: [StateRow] = []
    rows.reserveCapacity(Int(found.rowCount))
    while found.step() {
      var row = try reader.row(found)
      row.leadsOnly = try found.integer(12) != 0
      rows.append(row)
    }
    position = row + Int64(rows.count)
    return rows
  }
}
