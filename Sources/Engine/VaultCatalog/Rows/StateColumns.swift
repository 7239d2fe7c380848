import VaultModel

/// What an entry's row says, but for its directory; bytes are lent.
struct StateColumns {
  var name: UnsafeRawBufferPointer
  var first: Int64
  /// Nil where no content is stored for the entry.
  var contentSession: Int64?
  /// Nil without a session, and where an entry has a content of its own that is not sealed.
  var contentIndex: Int64?
  var device: Int64
  var inode: Int64
  var attributes: UnsafeRawBufferPointer
  var extents: UnsafeRawBufferPointer?
  /// Nil where the entry has no extended attributes.
  var extendedSession: Int64?
  /// Nil without a session.
  var extendedIndex: Int64?

  /// The file type is the second byte of the attributes in every version; only files have contents, which costs less to see.
  var isDirectory: Bool {
    contentSession == nil && attributes.count > 1 && attributes[1] == FileType.directory.rawValue
  }
}

extension StateColumns {
  /// A row with the columns that `StateRowReader` tells of; its bytes are valid until the next row.
  init(_ row: borrowing some CatalogRow & ~Copyable) throws(CatalogError) {
    name = try row.bytes(2)
    first = try row.integer(3)
    contentSession = row.isNull(4) ? nil : try row.integer(4)
    contentIndex = contentSession == nil || row.isNull(5) ? nil : try row.integer(5)
    device = try row.integer(6)
    inode = try row.integer(7)
    attributes = try row.bytes(8)
    extents = row.isNull(9) ? nil : try row.bytes(9)
    extendedSession = row.isNull(10) ? nil : try row.integer(10)
    extendedIndex = extendedSession == nil || row.isNull(11) ? nil : try row.integer(11)
  }
}
