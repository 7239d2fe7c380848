import VaultModel

/// A selection's rows in the order of their contents, in memory.
///
/// - Layout: of a row, its directory, device, inode, `first`, in LEB128; a byte of flags; with flag 1 content session and index, with
///   flag 2 session and index of extended attributes; lengths of name, attributes and with flag 4 of extents, each before its bytes.
/// - Bounds: as many bytes as it was made for.
final class SelectionRows {
  private static let contentFlag: UInt8 = 1
  private static let extendedFlag: UInt8 = 2
  private static let extentsFlag: UInt8 = 4

  /// What a row is sorted by first, and where the row begins.
  private struct Place {
    var place: Int64
    var contentIndex: Int64
    var start: Int
  }

  /// A row, its bytes lent.
  struct Row {
    var directory: DirectoryNumber
    var columns: StateColumns
  }

  private let byteLimit: Int
  private var bytes = ScratchBuffer(capacity: 64 << 10)
  private var order: [Place] = []

  init(byteLimit: Int) { self.byteLimit = byteLimit }

  var count: Int { order.count }

  /// What the rows take, more or less.
  var byteCount: Int { bytes.count + order.count * MemoryLayout<Place>.stride }

  /// Adds a row; false when there is no room for it.
  ///
  /// - Parameter place: the number of the content's job, or what stands for it; nil for entries without stored content, which come
  ///   first.
  func add(_ row: Row, place: Int64?) -> Bool {
    let columns = row.columns
    let rowBytes = columns.name.count + columns.attributes.count + (columns.extents?.count ?? 0)
    guard byteCount + rowBytes < byteLimit else { return false }
    order.append(
      Place(place: place ?? .min, contentIndex: place == nil ? .min : columns.contentIndex, start: bytes.count))
    for number in [row.directory, columns.device, columns.inode, columns.first] { append(number) }
    var flags: UInt8 = 0
    if columns.contentSession != nil { flags |= Self.contentFlag }
    if columns.extendedSession != nil { flags |= Self.extendedFlag }
    if columns.extents != nil { flags |= Self.extentsFlag }
    bytes.append(flags)
    if let session = columns.contentSession {
      append(session)
      append(columns.contentIndex)
    }
    if let session = columns.extendedSession {
      append(session)
      append(columns.extendedIndex)
    }
    append(columns.name)
    append(columns.attributes)
    if let extents = columns.extents { append(extents) }
    return true
  }

  /// Puts the rows in order: as `MaterializedSelection` sorts them.
  func sort() {
    order.sort { left, right in
      if left.place != right.place { return left.place < right.place }
      if left.contentIndex != right.contentIndex { return left.contentIndex < right.contentIndex }
      return precedes(left.start, right.start)
    }
  }

  /// The row with a number, from 0; valid as long as this is.
  subscript(number: Int) -> Row { row(at: order[number].start) }

  /// Whether of two rows of one content, or of none, the one that begins at `left` comes first.
  private func precedes(_ left: Int, _ right: Int) -> Bool {
    let (left, right) = (row(at: left), row(at: right))
    if left.columns.device != right.columns.device { return left.columns.device < right.columns.device }
    if left.columns.inode != right.columns.inode { return left.columns.inode < right.columns.inode }
    if left.directory != right.directory { return left.directory < right.directory }
    return left.columns.name.lexicographicallyPrecedes(right.columns.name)
  }

  private func append(_ number: Int64) { bytes.append(variable: UInt64(bitPattern: number)) }

  private func append(_ part: UnsafeRawBufferPointer) {
    bytes.append(variable: UInt64(part.count))
    bytes.append(part)
  }

  private func row(at start: Int) -> Row {
    var reader = ByteReader(bytes.bytes(start..<bytes.count))
    let directory = number(&reader)
    let (device, inode, first) = (number(&reader), number(&reader), number(&reader))
    guard let flags = reader.byte() else { preconditionFailure("a row was cut") }
    func numbers(_ flag: UInt8) -> (session: Int64, index: Int64)? {
      flags & flag == 0 ? nil : (number(&reader), number(&reader))
    }
    let content = numbers(Self.contentFlag)
    let extended = numbers(Self.extendedFlag)
    return Row(
      directory: directory,
      columns: StateColumns(
        name: part(&reader), first: first, contentSession: content?.session, contentIndex: content?.index ?? 0,
        device: device, inode: inode, attributes: part(&reader),
        extents: flags & Self.extentsFlag == 0 ? nil : part(&reader), extendedSession: extended?.session,
        extendedIndex: extended?.index ?? 0))
  }

  private func number(_ reader: inout ByteReader) -> Int64 {
    guard let number = reader.variable() else { preconditionFailure("a row was cut") }
    return Int64(bitPattern: number)
  }

  private func part(_ reader: inout ByteReader) -> UnsafeRawBufferPointer {
    guard let count = reader.variable(), let part = reader.take(count) else { preconditionFailure("a row was cut") }
    return part
  }
}
