import VaultModel

/// The small numbers that rows carry in place of UUIDs, trees and paths.
extension PostgreSQLConnection {
  /// The numbers of sessions, made where they are new; part of a transaction.
  func sessionNumbers(_ sessions: [UniqueIdentifier]) throws(CatalogError) -> [Int64] {
    var numbers: [Int64] = []
    numbers.reserveCapacity(sessions.count)
    for session in sessions { numbers.append(try sessionNumber(session)) }
    return numbers
  }

  /// A session's number, made when it is new; part of a transaction.
  func sessionNumber(_ session: UniqueIdentifier) throws(CatalogError) -> Int64 {
    if let known = try knownSessionNumber(session) { return known }
    try run("INSERT INTO session(uuid) VALUES ($1) ON CONFLICT DO NOTHING", [session.serverValue])
    guard let number = try knownSessionNumber(session) else { throw .corrupt("a session has no number") }
    return number
  }

  /// A session's number; nil when the catalog has never met it.
  func knownSessionNumber(_ session: UniqueIdentifier) throws(CatalogError) -> Int64? {
    try number("SELECT id FROM session WHERE uuid = $1", [session.serverValue])
  }

  /// A tree's number; nil when the catalog does not know it.
  func treeNumber(_ tree: Tree) throws(CatalogError) -> Int64? {
    if let known = treeNumbers[tree] { return known }
    // No tree has a name that PostgreSQL cannot hold.
    guard !tree.host.utf8.contains(0) else { return nil }
    let number = try number(
      "SELECT id FROM tree WHERE host = $1 AND sha256(name) = sha256($2)",
      [.text(tree.host), .bytes(tree.name.bytes)])
    if let number { treeNumbers[tree] = number }
    return number
  }

  /// A tree's number, made when it is new; part of a transaction.
  func treeNumber(making tree: Tree) throws(CatalogError) -> Int64 {
    if let known = try treeNumber(tree) { return known }
    try run(
      "INSERT INTO tree(host, name) VALUES ($1, $2) ON CONFLICT DO NOTHING",
      [.text(tree.host), .bytes(tree.name.bytes)])
    guard let number = try treeNumber(tree) else { throw .corrupt("a tree has no number") }
    return number
  }

  /// A directory's number in a tree; nil when no job ever named it.
  func directoryNumber(_ key: DirectoryKey, tree: Int64) throws(CatalogError) -> DirectoryNumber? {
    try number(
      "SELECT id FROM directory WHERE tree = $1 AND sha256(key) = sha256($2)",
      [.integer(tree), .bytes(key.bytes.bytes)])
  }
}
