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
    guard
      let decoded = EntryCodec.decode(
        try row.bytes(8), device: UInt64(bitPattern: try row.integer(6)),
        inode: UInt64(bitPattern: try row.integer(7)))
    else { throw try damaged(row) }
    let entry = Entry(
      name: ByteString(try row.bytes(2)), attributes: decoded.attributes,
      content: try content(row, seal: decoded.seal), linkTarget: decoded.linkTarget,
      extended: try extended(row, decoded))
    return StateRow(directory: directoryKey, entry: entry, first: try row.count(3))
  }

  private mutating func content(
    _ row: borrowing some CatalogRow & ~Copyable, seal: SealedContent?
  ) throws(CatalogError) -> ContentReference {
    if !row.isNull(9) {
      guard let seal, let extents = ExtentCodec.decode(try row.bytes(9)) else { throw try damaged(row) }
      return .extents(extents, seal)
    }
    guard !row.isNull(4) else {
      guard seal == nil else { throw try damaged(row) }
      return .none
    }
    guard let seal else { return .own }
    let session = try identifier(of: try row.integer(4), last: &contentSession)
    return .stored(ContentIdentifier(session: session, index: try row.count(5)), seal)
  }

  private mutating func extended(
    _ row: borrowing some CatalogRow & ~Copyable, _ decoded: EntryCodec.Decoded
  ) throws(CatalogError) -> ExtendedReference? {
    guard let extended = decoded.extended else { return nil }
    guard !row.isNull(10) else { throw try damaged(row) }
    let session = try identifier(of: try row.integer(10), last: &extendedSession)
    return ExtendedReference(
      carrier: ContentIdentifier(session: session, index: try row.count(11)), byteCount: extended.byteCount,
      digest: extended.digest)
  }

  private func identifier(
    of number: Int64, last: inout (number: Int64, identifier: UniqueIdentifier)
  ) throws(CatalogError) -> UniqueIdentifier {
    if number != last.number || number == 0 { last = (number, try sessions.session(number)) }
    return last.identifier
  }

  private func damaged(_ row: borrowing some CatalogRow & ~Copyable) throws(CatalogError) -> CatalogError {
    let path = directoryKey.path.displayText
    return .corrupt("the row of \(ByteString(try row.bytes(2)).displayText) in \(path) is damaged")
  }
}
