import CSQLite

extension CatalogError {
  /// The error for a result code of SQLite's, with its own message.
  static func engine(_ extendedCode: Int32, _ message: String) -> CatalogError {
    let kind: Kind
    switch extendedCode & 0xff {
    case SQLITE_BUSY, SQLITE_LOCKED: kind = .busy
    case SQLITE_CORRUPT, SQLITE_FORMAT: kind = .corrupt
    case SQLITE_NOTADB: kind = .notACatalog
    case SQLITE_FULL: kind = .diskFull
    case SQLITE_READONLY, SQLITE_PERM: kind = .readOnly
    case SQLITE_IOERR, SQLITE_CANTOPEN: kind = .inputOutput(extendedCode)
    default: kind = .engine(extendedCode)
    }
    return CatalogError(kind, "\(message) (SQLite \(extendedCode))")
  }

  /// The error for a value that no writer of this format stores.
  static func corrupt(_ detail: String) -> CatalogError { CatalogError(.corrupt, detail) }
}
