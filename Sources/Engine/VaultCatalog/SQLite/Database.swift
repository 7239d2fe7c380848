import CSQLite

/// An open SQLite connection; used by one thread at a time.
struct Database: ~Copyable {
  private let handle: OpaquePointer

  /// SQLite counts its memory under a lock, at each allocation; nobody asks. Refused once the library is in use, which does no
  /// harm.
  private static let isWithoutStatistics = vault_sqlite_without_statistics() == SQLITE_OK

  /// Opens the database that `uri` names.
  init(uri: String, flags: Int32) throws(CatalogError) {
    _ = Self.isWithoutStatistics
    var opened: OpaquePointer?
    let always = SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE
    let code = sqlite3_open_v2(uri, &opened, flags | always, nil)
    guard let opened else { throw .engine(SQLITE_NOMEM, "out of memory") }
    guard code == SQLITE_OK else {
      let error = CatalogError.engine(sqlite3_extended_errcode(opened), String(cString: sqlite3_errmsg(opened)))
      sqlite3_close_v2(opened)
      throw error
    }
    handle = opened
  }

  deinit { sqlite3_close_v2(handle) }

  /// Closes the connection; its statements are finalised before.
  consuming func close() throws(CatalogError) {
    let handle = handle
    discard self
    let code = sqlite3_close(handle)
    guard code == SQLITE_OK else {
      let error = CatalogError.engine(code, String(cString: sqlite3_errmsg(handle)))
      sqlite3_close_v2(handle)
      throw error
    }
  }

  /// Whether no transaction is open.
  var isAutocommitting: Bool { sqlite3_get_autocommit(handle) != 0 }

  /// Runs statements that return nothing of interest.
  func execute(_ script: String) throws(CatalogError) {
    guard sqlite3_exec(handle, script, nil, nil, nil) == SQLITE_OK else { throw lastError() }
  }

  /// Compiles one statement.
  func prepare(_ sql: String) throws(CatalogError) -> Statement {
    var prepared: OpaquePointer?
    let code = sqlite3_prepare_v3(handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &prepared, nil)
    guard code == SQLITE_OK, let prepared else { throw lastError() }
    return Statement(adopting: prepared)
  }

  private func lastError() -> CatalogError {
    .engine(sqlite3_extended_errcode(handle), String(cString: sqlite3_errmsg(handle)))
  }
}
