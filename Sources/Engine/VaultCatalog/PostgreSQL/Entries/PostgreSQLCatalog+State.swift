import VaultModel

extension PostgreSQLCatalog {
  package func readState(
    of tree: Tree, sequence: UInt64, after position: CanonicalPosition?, limit: Int, _ visit: (StateRow) throws -> Void
  ) throws(CatalogError) -> Bool {
    try readRows(
      of: .state(tree: tree, sequence: sequence), .everything, after: position, limit: limit, "reading a tree's state",
      visit)
  }

  package func readRows(
    of source: SelectionSource, within directory: DirectoryKey, after position: CanonicalPosition?, limit: Int,
    _ visit: (StateRow) throws -> Void
  ) throws(CatalogError) -> Bool {
    try readRows(
      of: source, DirectoryRange(within: directory), after: position, limit: limit,
      "reading what lies below a directory", visit)
  }

  private func readRows(
    of source: SelectionSource, _ range: DirectoryRange, after position: CanonicalPosition?, limit: Int,
    _ activity: String, _ visit: (StateRow) throws -> Void
  ) throws(CatalogError) -> Bool {
    let rows = try read(activity) { connection throws(CatalogError) -> [StateRow]? in
      guard let found = try connection.stateSource(of: source) else { return nil }
      return try connection.rows(found, range, after: position, limit: limit)
    }
    guard let rows else { return false }
    try give(rows, visit)
    return rows.count == limit
  }

  package func readDirectory(
    of source: SelectionSource, directory: DirectoryKey, after name: ByteString?, limit: Int,
    _ visit: (StateRow) throws -> Void
  ) throws(CatalogError) -> Bool {
    let rows = try read("reading a directory") { connection throws(CatalogError) -> [StateRow]? in
      guard let found = try connection.stateSource(of: source) else { return nil }
      return try connection.rows(found, directory: directory, from: name?.successor ?? "", limit: limit)
    }
    guard let rows else { return false }
    try give(rows, visit)
    return rows.count == limit
  }

  package func entry(
    of source: SelectionSource, at position: CanonicalPosition
  ) throws(CatalogError) -> Entry? {
    try read("looking for an entry") { connection throws(CatalogError) in
      guard let found = try connection.stateSource(of: source) else { return nil }
      return try connection.row(found, at: position)?.entry
    }
  }

  package func directories(
    of source: SelectionSource, from key: [UInt8], limit: Int
  ) throws(CatalogError) -> [DirectoryKey] {
    try read("listing directories") { connection throws(CatalogError) in
      try connection.directories(of: source, from: key, limit: limit)
    }
  }

  package func knownContents(
    of tree: Tree, _ questions: [InodeQuestion]
  ) throws(CatalogError) -> [ContentReference?] {
    try read("looking for known contents") { connection throws(CatalogError) in
      try connection.knownContents(of: tree, questions)
    }
  }
}
