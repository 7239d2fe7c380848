import CSQLite
import VaultModel

/// A compiled statement: parameters from 1, columns from 0.
struct Statement: ~Copyable {
  private let handle: OpaquePointer

  /// Takes over what `Database.prepare` compiled.
  init(adopting handle: OpaquePointer) { self.handle = handle }

  deinit { sqlite3_finalize(handle) }

  // MARK: Parameters

  func bind(_ value: Int64, at parameter: Int32) throws(CatalogError) {
    try check(sqlite3_bind_int64(handle, parameter, value))
  }

  func bindNull(at parameter: Int32) throws(CatalogError) {
    try check(sqlite3_bind_null(handle, parameter))
  }

  func bind(_ value: Int64?, at parameter: Int32) throws(CatalogError) {
    if let value { try bind(value, at: parameter) } else { try bindNull(at: parameter) }
  }

  /// Binds bytes that SQLite copies.
  func bind(copying bytes: UnsafeRawBufferPointer, at parameter: Int32) throws(CatalogError) {
    try bind(bytes, at: parameter, vault_sqlite_transient())
  }

  /// Binds bytes that stay where they are until the statement has run.
  func bind(lending bytes: UnsafeRawBufferPointer, at parameter: Int32) throws(CatalogError) {
    try bind(bytes, at: parameter, vault_sqlite_static())
  }

  func bind(_ bytes: ByteString, at parameter: Int32) throws(CatalogError) {
    try bind(bytes.bytes, at: parameter)
  }

  func bind(_ bytes: [UInt8], at parameter: Int32) throws(CatalogError) {
    try check(
      bytes.withUnsafeBytes { source in
        guard let base = source.baseAddress, source.count > 0 else {
          return sqlite3_bind_zeroblob(handle, parameter, 0)
        }
        return sqlite3_bind_blob64(handle, parameter, base, UInt64(source.count), vault_sqlite_transient())
      })
  }

  func bind(_ text: String, at parameter: Int32) throws(CatalogError) {
    var text = text
    try check(
      text.withUTF8 { source in
        source.withMemoryRebound(to: CChar.self) { characters in
          sqlite3_bind_text(
            handle, parameter, characters.baseAddress, Int32(characters.count), vault_sqlite_transient())
        }
      })
  }

  /// An empty blob is not a null: it has no address, so it is bound by length.
  private func bind(
    _ bytes: UnsafeRawBufferPointer, at parameter: Int32, _ destructor: sqlite3_destructor_type?
  ) throws(CatalogError) {
    guard let base = bytes.baseAddress, bytes.count > 0 else {
      return try check(sqlite3_bind_zeroblob(handle, parameter, 0))
    }
    try check(sqlite3_bind_blob64(handle, parameter, base, UInt64(bytes.count), destructor))
  }

  // MARK: Running

  /// Goes to the next row; false at the end.
  func step() throws(CatalogError) -> Bool {
    let code = sqlite3_step(handle)
    if code == SQLITE_ROW { return true }
    if code == SQLITE_DONE { return false }
    throw error(code)
  }

  /// Runs a statement that returns no rows and makes it ready to run again.
  func run() throws(CatalogError) {
    let code = sqlite3_step(handle)
    sqlite3_reset(handle)
    guard code == SQLITE_DONE || code == SQLITE_ROW else { throw error(code) }
  }

  /// Makes the statement ready to run again; the parameters stay.
  func reset() { sqlite3_reset(handle) }

  /// Virtual machine steps since the statement was compiled.
  var stepCount: Int64 { Int64(sqlite3_stmt_status(handle, SQLITE_STMTSTATUS_VM_STEP, 0)) }

  /// Sorts since the statement was compiled.
  var sortCount: Int64 { Int64(sqlite3_stmt_status(handle, SQLITE_STMTSTATUS_SORT, 0)) }

  // MARK: Columns

  func isNull(_ column: Int32) -> Bool { sqlite3_column_type(handle, column) == SQLITE_NULL }

  func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(handle, column) }

  /// A column's bytes, valid until the next step.
  func bytes(_ column: Int32) -> UnsafeRawBufferPointer {
    let base = sqlite3_column_blob(handle, column)
    return UnsafeRawBufferPointer(start: base, count: base == nil ? 0 : Int(sqlite3_column_bytes(handle, column)))
  }

  /// A number that is never negative in a sound catalog.
  ///
  /// - Throws: `.corrupt` for a negative one.
  func count(_ column: Int32) throws(CatalogError) -> UInt64 {
    guard let value = UInt64(exactly: integer(column)) else { throw .corrupt("a number is negative") }
    return value
  }

  /// - Throws: `.corrupt` for a number above 2^32 − 1.
  func smallCount(_ column: Int32) throws(CatalogError) -> UInt32 {
    guard let value = UInt32(exactly: integer(column)) else { throw .corrupt("a number is out of range") }
    return value
  }

  /// - Throws: `.corrupt` for bytes that are not UTF-8.
  func text(_ column: Int32) throws(CatalogError) -> String {
    guard let text = String(validating: bytes(column), as: UTF8.self) else { throw .corrupt("a text is not UTF-8") }
    return text
  }

  /// - Throws: `.corrupt` for anything but 16 bytes.
  func identifier(_ column: Int32) throws(CatalogError) -> UniqueIdentifier {
    guard let identifier = UniqueIdentifier(bytes: bytes(column)) else { throw .corrupt("a UUID is not 16 bytes long") }
    return identifier
  }

  private func check(_ code: Int32) throws(CatalogError) {
    guard code == SQLITE_OK else { throw error(code) }
  }

  private func error(_ code: Int32) -> CatalogError {
    let database = sqlite3_db_handle(handle)
    let extended = sqlite3_extended_errcode(database)
    return .engine(extended & 0xff == code & 0xff ? extended : code, String(cString: sqlite3_errmsg(database)))
  }
}

/// A statement that several calls use, one after another.
final class CachedStatement {
  let statement: Statement
  init(_ statement: consuming Statement) { self.statement = statement }
}
