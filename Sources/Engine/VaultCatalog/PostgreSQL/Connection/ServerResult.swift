import CPostgreSQL
import VaultModel

/// What a statement returned: rows in binary form, read one after another.
struct ServerResult: ~Copyable {
  private let handle: OpaquePointer
  /// How many rows there are.
  let rowCount: Int32
  private var row: Int32 = -1

  /// Takes over what libpq returned.
  init(adopting handle: OpaquePointer) {
    self.handle = handle
    rowCount = PQntuples(handle)
  }

  deinit { PQclear(handle) }

  /// How many rows a statement that changes rows changed.
  var changedCount: Int { Int(String(cString: PQcmdTuples(handle))) ?? 0 }

  /// Goes to the next row; false at the end.
  mutating func step() -> Bool {
    row += 1
    return row < rowCount
  }

  /// The bytes of a column that must have one of some types.
  private func value(_ column: Int32, _ types: UInt32...) throws(CatalogError) -> UnsafeRawBufferPointer {
    guard row >= 0, row < rowCount, column < PQnfields(handle) else { throw .corrupt("a column is missing") }
    guard types.contains(PQftype(handle, column)), PQfformat(handle, column) == 1 else {
      throw .corrupt("a column has another type than the schema says")
    }
    guard PQgetisnull(handle, row, column) == 0 else { throw .corrupt("a value is missing") }
    return UnsafeRawBufferPointer(
      start: PQgetvalue(handle, row, column), count: Int(PQgetlength(handle, row, column)))
  }
}

extension ServerResult: CatalogRow {
  func isNull(_ column: Int32) -> Bool { row < 0 || PQgetisnull(handle, row, column) != 0 }

  func integer(_ column: Int32) throws(CatalogError) -> Int64 {
    let bytes = try value(column, ServerValue.ObjectIdentifier.integer)
    guard bytes.count == 8 else { throw .corrupt("a number is not 8 bytes long") }
    return Int64(bigEndian: bytes.loadUnaligned(as: Int64.self))
  }

  func bytes(_ column: Int32) throws(CatalogError) -> UnsafeRawBufferPointer {
    if isNull(column) { return UnsafeRawBufferPointer(start: nil, count: 0) }
    return try value(column, ServerValue.ObjectIdentifier.bytes)
  }

  func count(_ column: Int32) throws(CatalogError) -> UInt64 {
    guard let value = UInt64(exactly: try integer(column)) else { throw .corrupt("a number is negative") }
    return value
  }

  func smallCount(_ column: Int32) throws(CatalogError) -> UInt32 {
    guard let value = UInt32(exactly: try integer(column)) else { throw .corrupt("a number is out of range") }
    return value
  }

  func text(_ column: Int32) throws(CatalogError) -> String {
    let bytes = try value(column, ServerValue.ObjectIdentifier.text)
    guard let text = String(validating: bytes, as: UTF8.self) else { throw .corrupt("a text is not UTF-8") }
    return text
  }

  func identifier(_ column: Int32) throws(CatalogError) -> UniqueIdentifier {
    guard let identifier = UniqueIdentifier(bytes: try bytes(column)) else {
      throw .corrupt("a UUID is not 16 bytes long")
    }
    return identifier
  }
}
