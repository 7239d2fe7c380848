import VaultModel

/// A selection's rows in the order of their contents, in memory, with all that is needed to tell them.
///
/// - Layout: of a row, its directory, device, inode and `first` in LEB128; a byte of flags; with flag 1 the content's session, with 2
///   its index, with 4 the extended attributes' session, with 8 their index; lengths of name, attributes and with flag 16 of extents,
///   each before its bytes.
final class SelectionRows: Sendable {
  fileprivate static let contentSessionFlag: UInt8 = 1
  fileprivate static let contentIndexFlag: UInt8 = 2
  fileprivate static let extendedSessionFlag: UInt8 = 4
  fileprivate static let extendedIndexFlag: UInt8 = 8
  fileprivate static let extentsFlag: UInt8 = 16

  /// What a row is sorted by first, and where the row begins.
  fileprivate struct Place {
    /// The number of its content's job, or what stands for it; until all sessions are known, the session's.
    var place: Int64
    var contentIndex: Int64
    var chunk: UInt32
    var offset: UInt32
  }

  /// A row, its bytes lent.
  private struct Row {
    var directory: DirectoryNumber
    var columns: StateColumns
  }

  private let chunks: [[UInt8]]
  private let order: [Place]
  private let keys: [DirectoryNumber: DirectoryKey]
  private let sessions: [Int64: UniqueIdentifier]
  /// What all of it takes, more or less.
  let byteCount: Int

  fileprivate init(
    chunks: [[UInt8]], places: consuming [Place], keys: [DirectoryNumber: DirectoryKey],
    sessions: [Int64: UniqueIdentifier], byteCount: Int
  ) {
    self.chunks = chunks
    self.keys = keys
    self.sessions = sessions
    self.byteCount = byteCount
    places.sort { left, right in
      if left.place != right.place { return left.place < right.place }
      if left.contentIndex != right.contentIndex { return left.contentIndex < right.contentIndex }
      return Self.withRow(left, chunks) { left in Self.withRow(right, chunks) { Self.precedes(left, $0) } }
    }
    order = places
  }

  var count: Int64 { Int64(order.count) }

  /// Visits up to `limit` rows after a row; returns how many.
  func read(after row: Int64, limit: Int, _ visit: (StateRow) throws -> Void) throws(CatalogError) -> Int {
    var reader = StateRowReader(self)
    let rows = order.dropFirst(Int(clamping: row)).prefix(limit)
    for place in rows {
      let found = try Self.withRow(place, chunks) { row throws(CatalogError) in
        if !reader.knows(row.directory) {
          guard let key = keys[row.directory] else {
            throw .corrupt("an entry refers to a directory that is not there")
          }
          reader.enter(row.directory, key)
        }
        return try reader.row(row.columns)
      }
      do { try visit(found) } catch { throw CatalogError.fromCaller(error) }
    }
    return rows.count
  }

  /// Whether of two rows of one content, or of none, the left one comes first.
  private static func precedes(_ left: Row, _ right: Row) -> Bool {
    if left.columns.device != right.columns.device { return left.columns.device < right.columns.device }
    if left.columns.inode != right.columns.inode { return left.columns.inode < right.columns.inode }
    if left.directory != right.directory { return left.directory < right.directory }
    return left.columns.name.lexicographicallyPrecedes(right.columns.name)
  }

  private static func withRow<Result, Failure: Error>(
    _ place: Place, _ chunks: [[UInt8]], _ body: (Row) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try chunks[Int(place.chunk)].withUnsafeBufferPointer { (bytes) throws(Failure) -> Result in
      var reader = ByteReader(UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: bytes[Int(place.offset)...])))
      return try body(row(&reader))
    }
  }

  private static func row(_ reader: inout ByteReader) -> Row {
    let directory = number(&reader)
    let (device, inode, first) = (number(&reader), number(&reader), number(&reader))
    guard let flags = reader.byte() else { preconditionFailure("a row was cut") }
    func optional(_ flag: UInt8) -> Int64? { flags & flag == 0 ? nil : number(&reader) }
    let (contentSession, contentIndex) = (optional(contentSessionFlag), optional(contentIndexFlag))
    let (extendedSession, extendedIndex) = (optional(extendedSessionFlag), optional(extendedIndexFlag))
    return Row(
      directory: directory,
      columns: StateColumns(
        name: part(&reader), first: first, contentSession: contentSession, contentIndex: contentIndex, device: device,
        inode: inode, attributes: part(&reader), extents: flags & extentsFlag == 0 ? nil : part(&reader),
        extendedSession: extendedSession, extendedIndex: extendedIndex))
  }

  private static func number(_ reader: inout ByteReader) -> Int64 {
    guard let number = reader.variable() else { preconditionFailure("a row was cut") }
    return Int64(bitPattern: number)
  }

  private static func part(_ reader: inout ByteReader) -> UnsafeRawBufferPointer {
    guard let count = reader.variable(), let part = reader.take(count) else { preconditionFailure("a row was cut") }
    return part
  }
}

extension SelectionRows: SessionNames {
  func session(_ number: Int64) throws(CatalogError) -> UniqueIdentifier {
    guard let identifier = sessions[number] else { throw .corrupt("an entry refers to a session that is not there") }
    return identifier
  }
}

/// What a selection's rows need of a session.
struct SessionPlace {
  var identifier: UniqueIdentifier
  /// The number of its job; nil when there is none.
  var jobNumber: Int64?
}

/// Takes a selection's rows into memory, as long as there is room.
struct SelectionCollector: ~Copyable {
  /// Contents of sessions without a job come after those of jobs, by the sessions' numbers.
  static let firstPlaceWithoutJob: Int64 = 0x4000_0000_0000_0000
  /// Entries without stored content come first.
  private static let placeWithoutContent = Int64.min

  private static let chunkByteCount = 1 << 20
  /// What a key takes in a table beside its bytes, more or less.
  private static let keyByteCount = 96

  private let byteLimit: Int
  private var byteCount = 0
  private var chunks: [[UInt8]] = []
  private var chunk: [UInt8] = []
  private var row = ScratchBuffer(capacity: 512)
  private var places: [SelectionRows.Place] = []
  private var keys: [DirectoryNumber: DirectoryKey] = [:]
  private var lastDirectory: DirectoryNumber?
  /// All that the rows refer to.
  private var sessions: Set<Int64> = []
  private var lastSession: Int64?

  init(byteLimit: Int) { self.byteLimit = byteLimit }

  /// Adds the row that a statement stands on, with the columns that `StateRowReader` tells of, if it is none of a directory.
  ///
  /// - Returns: false when there is no room for it.
  mutating func add(_ found: borrowing some CatalogRow & ~Copyable) throws(CatalogError) -> Bool {
    let columns = try StateColumns(found)
    if columns.isDirectory { return true }
    let directory = try found.integer(0)
    if directory != lastDirectory {
      lastDirectory = directory
      if keys[directory] == nil {
        let key = DirectoryKey(keyBytes: Array(try found.bytes(1)))
        byteCount += key.bytes.count + Self.keyByteCount
        keys[directory] = key
      }
    }
    if let session = columns.contentSession, session != lastSession {
      lastSession = session
      sessions.insert(session)
    }
    if let session = columns.extendedSession { sessions.insert(session) }
    write(columns, directory)
    byteCount += row.count + MemoryLayout<SelectionRows.Place>.stride
    guard byteCount <= byteLimit else { return false }
    if chunk.count + row.count > Self.chunkByteCount { endChunk() }
    if chunk.isEmpty { chunk.reserveCapacity(max(Self.chunkByteCount, row.count)) }
    places.append(
      SelectionRows.Place(
        place: columns.contentSession ?? Self.placeWithoutContent, contentIndex: columns.contentIndex ?? .min,
        chunk: UInt32(chunks.count), offset: UInt32(chunk.count)))
    chunk.append(contentsOf: row.bytes(0..<row.count))
    return true
  }

  /// The rows in order.
  ///
  /// - Parameter find: tells of sessions what is known of them; a row whose session it does not know is refused when it is read.
  consuming func sorted(
    _ find: ([Int64]) throws(CatalogError) -> [Int64: SessionPlace]
  ) throws(CatalogError) -> SelectionRows {
    endChunk()
    let found = try find(Array(sessions))
    var order = places
    places = []
    for index in order.indices {
      let session = order[index].place
      if session == Self.placeWithoutContent { continue }
      order[index].place = found[session]?.jobNumber ?? Self.firstPlaceWithoutJob &+ session
    }
    return SelectionRows(
      chunks: chunks, places: order, keys: keys, sessions: found.mapValues(\.identifier), byteCount: byteCount)
  }

  private mutating func endChunk() {
    chunks.append(chunk)
    chunk = []
  }

  private mutating func write(_ columns: StateColumns, _ directory: DirectoryNumber) {
    row.truncate(to: 0)
    append(directory)
    append(columns.device)
    append(columns.inode)
    append(columns.first)
    var flags: UInt8 = 0
    if columns.contentSession != nil { flags |= SelectionRows.contentSessionFlag }
    if columns.contentIndex != nil { flags |= SelectionRows.contentIndexFlag }
    if columns.extendedSession != nil { flags |= SelectionRows.extendedSessionFlag }
    if columns.extendedIndex != nil { flags |= SelectionRows.extendedIndexFlag }
    if columns.extents != nil { flags |= SelectionRows.extentsFlag }
    row.append(flags)
    append(columns.contentSession)
    append(columns.contentIndex)
    append(columns.extendedSession)
    append(columns.extendedIndex)
    append(columns.name)
    append(columns.attributes)
    if let extents = columns.extents { append(extents) }
  }

  private mutating func append(_ number: Int64?) {
    if let number { row.append(variable: UInt64(bitPattern: number)) }
  }

  private mutating func append(_ part: UnsafeRawBufferPointer) {
    row.append(variable: UInt64(part.count))
    row.append(part)
  }
}
