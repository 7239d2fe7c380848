/// A row of an entry; its bytes lie in a buffer.
struct StagedRow {
  var directory: DirectoryNumber
  var name: Range<Int>
  var session: Int64?
  var content: Int64?
  var device: UInt64
  var inode: UInt64
  var attributes: Range<Int>
  var extents: Range<Int>?
  var extended: ExtendedColumns?

  /// How many parameters a row has.
  static let parameterCount: Int32 = 10

  /// Binds the row's columns to parameters from `first` on; the bytes stay where they are until the statement has run.
  func bind(
    to statement: borrowing Statement, from first: Int32, _ bytes: borrowing ScratchBuffer
  ) throws(CatalogError) {
    try statement.bind(directory, at: first)
    try statement.bind(lending: bytes.bytes(name), at: first + 1)
    try statement.bind(session, at: first + 2)
    try statement.bind(content, at: first + 3)
    try statement.bind(Int64(bitPattern: device), at: first + 4)
    try statement.bind(Int64(bitPattern: inode), at: first + 5)
    try statement.bind(lending: bytes.bytes(attributes), at: first + 6)
    if let extents {
      try statement.bind(lending: bytes.bytes(extents), at: first + 7)
    } else {
      try statement.bindNull(at: first + 7)
    }
    try statement.bind(extended?.session, at: first + 8)
    try statement.bind(extended?.index, at: first + 9)
  }
}

/// Rows that go where they are to stay, many with one statement: one for each takes SQLite a quarter more instructions.
struct PlacedRows: ~Copyable {
  /// Rows of one statement.
  static let rowLimit = 16

  private let one: CachedStatement
  private let many: CachedStatement
  private var rows: [StagedRow] = []
  private var bytes = ScratchBuffer(capacity: 8 << 10)

  private init(one: CachedStatement, many: CachedStatement) {
    self.one = one
    self.many = many
  }

  /// - Parameter sequence: of the job whose rows they are.
  static func of(sequence: Int64, _ connection: CatalogConnection) throws(CatalogError) -> PlacedRows {
    PlacedRows(
      one: try statement(rowCount: 1, sequence, connection),
      many: try statement(rowCount: rowLimit, sequence, connection))
  }

  private static func statement(
    rowCount: Int, _ sequence: Int64, _ connection: CatalogConnection
  ) throws(CatalogError) -> CachedStatement {
    let row = "(?1" + String(repeating: ", ?", count: Int(StagedRow.parameterCount)) + ")"
    let statement = try connection.statement(
      """
      INSERT OR REPLACE INTO entry_current
        (first, directory, name, content_session, content_index, device, inode, attributes, extents,
          extended_session, extended_index)
      VALUES \(Array(repeating: row, count: rowCount).joined(separator: ", "))
      """)
    try statement.statement.bind(sequence, at: 1)
    return statement
  }

  /// Takes a row whose bytes lie in `source`; it is written with the others, or when `flush` is called.
  mutating func add(_ row: StagedRow, _ source: borrowing ScratchBuffer) throws(CatalogError) {
    var row = row
    row.name = append(source.bytes(row.name))
    row.attributes = append(source.bytes(row.attributes))
    if let extents = row.extents { row.extents = append(source.bytes(extents)) }
    rows.append(row)
    if rows.count == Self.rowLimit { try flush() }
  }

  private mutating func append(_ added: UnsafeRawBufferPointer) -> Range<Int> {
    let start = bytes.count
    bytes.append(added)
    return start..<bytes.count
  }

  /// Writes what waits.
  mutating func flush() throws(CatalogError) {
    if rows.count == Self.rowLimit {
      var parameter: Int32 = 2
      for row in rows {
        try row.bind(to: many.statement, from: parameter, bytes)
        parameter += StagedRow.parameterCount
      }
      try many.statement.run()
    } else {
      for row in rows {
        try row.bind(to: one.statement, from: 2, bytes)
        try one.statement.run()
      }
    }
    rows.removeAll(keepingCapacity: true)
    bytes.truncate(to: 0)
  }
}
