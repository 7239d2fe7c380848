import VaultModel

/// The small numbers that rows carry in place of UUIDs, trees and paths.
extension CatalogConnection {
  /// A session's number, made when it is new; part of a transaction.
  func sessionNumber(_ session: UniqueIdentifier) throws(CatalogError) -> Int64 {
    if let known = try knownSessionNumber(session) { return known }
    let insert = try statement("INSERT INTO session(uuid) VALUES (?1) RETURNING id")
    defer { insert.statement.reset() }
    try session.withBytes { bytes throws(CatalogError) in try insert.statement.bind(copying: bytes, at: 1) }
    guard try insert.statement.step() else { throw .corrupt("a session has no number") }
    let number = insert.statement.integer(0)
    sessionNumbers[session] = number
    return number
  }

  /// A session's number; nil when the catalog has never met it.
  func knownSessionNumber(_ session: UniqueIdentifier) throws(CatalogError) -> Int64? {
    if let known = sessionNumbers[session] { return known }
    let select = try statement("SELECT id FROM session WHERE uuid = ?1")
    defer { select.statement.reset() }
    try session.withBytes { bytes throws(CatalogError) in try select.statement.bind(copying: bytes, at: 1) }
    guard try select.statement.step() else { return nil }
    let number = select.statement.integer(0)
    sessionNumbers[session] = number
    return number
  }

  /// The session with a number that some row refers to.
  func session(_ number: Int64) throws(CatalogError) -> UniqueIdentifier {
    if let known = sessionIdentifiers[number] { return known }
    let select = try statement("SELECT uuid FROM session WHERE id = ?1")
    defer { select.statement.reset() }
    try select.statement.bind(number, at: 1)
    guard try select.statement.step() else { throw .corrupt("an entry refers to a session that is not there") }
    let identifier = try select.statement.identifier(0)
    sessionIdentifiers[number] = identifier
    return identifier
  }

  /// A tree's number; nil when the catalog does not know it.
  func treeNumber(_ tree: Tree) throws(CatalogError) -> Int64? {
    if let known = treeNumbers[tree] { return known }
    let select = try statement("SELECT id FROM tree WHERE host = ?1 AND name = ?2")
    defer { select.statement.reset() }
    try select.statement.bind(tree.host, at: 1)
    try select.statement.bind(tree.name, at: 2)
    guard try select.statement.step() else { return nil }
    let number = select.statement.integer(0)
    treeNumbers[tree] = number
    return number
  }

  /// A tree's number, made when it is new; part of a transaction.
  func treeNumber(making tree: Tree) throws(CatalogError) -> Int64 {
    if let known = try treeNumber(tree) { return known }
    let insert = try statement("INSERT INTO tree(host, name) VALUES (?1, ?2) RETURNING id")
    defer { insert.statement.reset() }
    try insert.statement.bind(tree.host, at: 1)
    try insert.statement.bind(tree.name, at: 2)
    guard try insert.statement.step() else { throw .corrupt("a tree has no number") }
    let number = insert.statement.integer(0)
    treeNumbers[tree] = number
    return number
  }

  /// A directory's number in a tree; nil when no job ever named it.
  func directoryNumber(_ key: DirectoryKey, tree: Int64) throws(CatalogError) -> DirectoryNumber? {
    let select = try statement("SELECT id FROM directory WHERE tree = ?1 AND key = ?2")
    defer { select.statement.reset() }
    try select.statement.bind(tree, at: 1)
    try select.statement.bind(key.bytes, at: 2)
    return try select.statement.step() ? select.statement.integer(0) : nil
  }
}
