import VaultModel

// What restoring attributes needs beside the rows.
extension CatalogConnection {
  /// The attribute groups that hold the list of extended attributes which an entry of a session carried.
  func extendedLocations(of carrier: ContentIdentifier) throws(CatalogError) -> [GroupLocation] {
    guard let index = Int64(exactly: carrier.index), let job = try job(session: carrier.session) else { return [] }
    let select = try statement("SELECT first_group, last_group FROM extended_list WHERE job = ?1 AND entry = ?2")
    defer { select.statement.reset() }
    try select.statement.bind(ordered(job.number), at: 1)
    try select.statement.bind(index, at: 2)
    guard try select.statement.step() else { return [] }
    let first = try select.statement.count(0)
    let last = try select.statement.count(1)
    guard first <= last else { throw .corrupt("a list of extended attributes ends before it begins") }
    return try locations(of: carrier.session, groups: first...last).filter { $0.kind == .attributes }
  }

  /// What a number meant to the job with a sequence, or to the last one before it that said so; nil when it had no name.
  func ownerName(
    tree: Int64, sequence: UInt64, kind: OwnerKind, number: UInt32
  ) throws(CatalogError) -> ByteString? {
    let select = try statement(
      """
      SELECT name FROM owner_name WHERE tree = ?1 AND kind = ?2 AND number = ?3 AND sequence <= ?4
      ORDER BY sequence DESC LIMIT 1
      """)
    defer { select.statement.reset() }
    try select.statement.bind(tree, at: 1)
    try select.statement.bind(Int64(kind.rawValue), at: 2)
    try select.statement.bind(Int64(number), at: 3)
    try select.statement.bind(Int64(clamping: sequence), at: 4)
    guard try select.statement.step() else { return nil }
    let name = ByteString(select.statement.bytes(0))
    return name.isEmpty ? nil : name
  }
}
