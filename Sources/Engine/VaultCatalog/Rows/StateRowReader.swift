import VaultModel

/// Turns rows of the twelve state columns into values; remembers the last directory and session, which most rows share.
///
/// Columns: directory number, directory key (of no matter once `enter` told it), name, first, content session, content index,
/// device, inode, attributes, extents, session and index of the extended attributes.
struct StateRowReader {
  /// The columns that every table of entries has, from the fifth on.
  static let entryColumns = [
    "content_session", "content_index", "device", "inode", "attributes", "extents", "extended_session",
    "extended_index",
  ]

  private let sessions: any SessionNames
  private var directoryNumber: DirectoryNumber = 0
  private var directoryKey = DirectoryKey.root
  private var contentSession: (number: Int64, identifier: UniqueIdentifier) = (0, .none)
  private var extendedSession: (number: Int64, identifier: UniqueIdentifier) = (0, .none)

  init(_ sessions: any SessionNames) { self.sessions = sessions }

  /// Whether rows of a directory need not say its key.
  func knows(_ directory: DirectoryNumber) -> Bool { directory == directoryNumber && directory != 0 }

  /// Takes the key of the directory of the next rows, which then need not say it.
  mutating func enter(_ directory: DirectoryNumber, _ key: DirectoryKey) {
    directoryNumber = directory
    directoryKey = key
  }

  /// The row that a statement stands on.
  ///
  /// - Throws: `.corrupt` for values that no writer stores.
  mutating func row(_ row: borrowing some CatalogRow & ~Copyable) throws(CatalogError) -> StateRow {
    let number = try row.integer(0)
    if number != directoryNumber || number == 0 {
      directoryKey = DirectoryKey(keyBytes: Array(try row.bytes(1)))
      directoryNumber = number
    }
    return try self.row(StateColumns(row))
  }

  /// A row of the directory that was entered last.
  ///
  /// - Throws: `.corrupt` for values that no writer stores.
  mutating func row(_ columns: StateColumns) throws(CatalogError) -> StateRow {
    guard
      let decoded = EntryCodec.decode(
        columns.attributes, device: UInt64(bitPattern: columns.device), inode: UInt64(bitPattern: columns.inode)),
      let first = UInt64(exactly: columns.first)
    else { throw damaged(columns) }
    let entry = Entry(
      name: ByteString(columns.name), attributes: decoded.attributes,
      content: try content(columns, seal: decoded.seal), linkTarget: decoded.linkTarget,
      extended: try extended(columns, decoded))
    return StateRow(directory: directoryKey, entry: entry, first: first)
  }

  private mutating func content(
    _ columns: StateColumns, seal: SealedContent?
  ) throws(CatalogError) -> ContentReference {
    if let bytes = columns.extents {
      guard let seal, let extents = ExtentCodec.decode(bytes) else { throw damaged(columns) }
      return .extents(extents, seal)
    }
    guard let number = columns.contentSession else {
      guard seal == nil else { throw damaged(columns) }
      return .none
    }
    guard let seal else { return .own }
    guard let index = columns.contentIndex.flatMap({ UInt64(exactly: $0) }) else { throw damaged(columns) }
    let session = try identifier(of: number, last: &contentSession)
    return .stored(ContentIdentifier(session: session, index: index), seal)
  }

  private mutating func extended(
    _ columns: StateColumns, _ decoded: EntryCodec.Decoded
  ) throws(CatalogError) -> ExtendedReference? {
    guard let extended = decoded.extended else { return nil }
    guard let number = columns.extendedSession,
      let index = columns.extendedIndex.flatMap({ UInt64(exactly: $0) })
    else { throw damaged(columns) }
    let session = try identifier(of: number, last: &extendedSession)
    return ExtendedReference(
      carrier: ContentIdentifier(session: session, index: index), byteCount: extended.byteCount,
      digest: extended.digest)
  }

  private func identifier(
    of number: Int64, last: inout (number: Int64, identifier: UniqueIdentifier)
  ) throws(CatalogError) -> UniqueIdentifier {
    if number != last.number || number == 0 { last = (number, try sessions.session(number)) }
    return last.identifier
  }

  private func damaged(_ columns: StateColumns) -> CatalogError {
    let path = directoryKey.path.displayText
    return .corrupt("the row of \(ByteString(columns.name).displayText) in \(path) is damaged")
  }
}
