import VaultModel

/// Turns rows of the twelve state columns into values; remembers the last directory and session, which most rows share.
///
/// Columns: directory number, directory key, name, first, content session, content index, device, inode, attributes,
/// extents, session and index of the extended attributes.
struct StateRowReader {
  private let connection: CatalogConnection
  private var directoryNumber: DirectoryNumber = 0
  private var directoryKey = DirectoryKey.root
  private var contentSession: (number: Int64, identifier: UniqueIdentifier) = (0, .none)
  private var extendedSession: (number: Int64, identifier: UniqueIdentifier) = (0, .none)

  init(_ connection: CatalogConnection) { self.connection = connection }

  /// Whether a row is a directory's; a row too short to tell is none.
  static func isDirectory(_ statement: borrowing Statement) -> Bool {
    let blob = statement.bytes(8)
    return blob.count > EntryCodec.typeOffset && blob[EntryCodec.typeOffset] == FileType.directory.rawValue
  }

  /// The row that a statement stands on.
  ///
  /// - Throws: `.corrupt` for values that no writer stores.
  mutating func row(_ statement: borrowing Statement) throws(CatalogError) -> StateRow {
    let number = statement.integer(0)
    if number != directoryNumber || number == 0 {
      directoryKey = DirectoryKey(keyBytes: Array(statement.bytes(1)))
      directoryNumber = number
    }
    guard
      let decoded = EntryCodec.decode(
        statement.bytes(8), device: UInt64(bitPattern: statement.integer(6)),
        inode: UInt64(bitPattern: statement.integer(7)))
    else { throw damaged(statement) }
    let entry = Entry(
      name: ByteString(statement.bytes(2)), attributes: decoded.attributes,
      content: try content(statement, seal: decoded.seal), linkTarget: decoded.linkTarget,
      extended: try extended(statement, decoded))
    return StateRow(directory: directoryKey, entry: entry, first: try statement.count(3))
  }

  private mutating func content(
    _ statement: borrowing Statement, seal: SealedContent?
  ) throws(CatalogError) -> ContentReference {
    if !statement.isNull(9) {
      guard let seal, let extents = ExtentCodec.decode(statement.bytes(9)) else { throw damaged(statement) }
      return .extents(extents, seal)
    }
    guard !statement.isNull(4) else {
      guard seal == nil else { throw damaged(statement) }
      return .none
    }
    guard let seal else { return .own }
    let session = try identifier(of: statement.integer(4), last: &contentSession)
    return .stored(ContentIdentifier(session: session, index: try statement.count(5)), seal)
  }

  private mutating func extended(
    _ statement: borrowing Statement, _ decoded: EntryCodec.Decoded
  ) throws(CatalogError) -> ExtendedReference? {
    guard let extended = decoded.extended else { return nil }
    guard !statement.isNull(10) else { throw damaged(statement) }
    let session = try identifier(of: statement.integer(10), last: &extendedSession)
    return ExtendedReference(
      carrier: ContentIdentifier(session: session, index: try statement.count(11)), byteCount: extended.byteCount,
      digest: extended.digest)
  }

  private func identifier(
    of number: Int64, last: inout (number: Int64, identifier: UniqueIdentifier)
  ) throws(CatalogError) -> UniqueIdentifier {
    if number != last.number || number == 0 { last = (number, try connection.session(number)) }
    return last.identifier
  }

  private func damaged(_ statement: borrowing Statement) -> CatalogError {
    let path = directoryKey.path.displayText
    return .corrupt("the row of \(ByteString(statement.bytes(2)).displayText) in \(path) is damaged")
  }
}
