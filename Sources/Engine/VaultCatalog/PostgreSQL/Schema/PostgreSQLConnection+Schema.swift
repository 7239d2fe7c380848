import VaultModel

extension PostgreSQLConnection {
  /// Brings the schema to this program's version, in one transaction, and empties what the last process left waiting.
  ///
  /// - Returns: the repository's UUID.
  func migrate(
    schema: String, newRepository: UniqueIdentifier
  ) throws(CatalogError) -> UniqueIdentifier {
    try execute("BEGIN")
    do throws(CatalogError) {
      let found = try schemaVersion(of: schema)
      if found == 0 { try makeSchema(schema) }
      for index in Int(found)..<PostgreSQLSchema.migrations.count { try execute(PostgreSQLSchema.migrations[index]) }
      if found == 0 {
        try run(
          "INSERT INTO repository(id, uuid, schema_version) VALUES (1, $1, $2)",
          [newRepository.serverValue, .integer(PostgreSQLSchema.version)])
      } else {
        try run("UPDATE repository SET schema_version = $1", [.integer(PostgreSQLSchema.version)])
      }
      try execute("TRUNCATE \(PostgreSQLSchema.waitingTableNames.joined(separator: ", "))")
      let repository = try repository()
      try execute("COMMIT")
      return repository
    } catch {
      rollBack()
      throw error
    }
  }

  /// The version of the schema's tables; 0 when there are none.
  ///
  /// - Throws: `.notACatalog` for another program's tables, `.newerSchema` for a newer program's; nothing was written.
  private func schemaVersion(of schema: String) throws(CatalogError) -> Int64 {
    let tables = """
      SELECT count(*) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = $1
      """
    guard try number(tables, [.text(schema)]) ?? 0 > 0 else { return 0 }
    let isOurs = try number(
      tables + " AND c.relname IN ('repository', 'entry_current', 'entry_past', 'job')", [.text(schema)])
    guard isOurs == 4 else { throw CatalogError(.notACatalog, "the schema holds another program's tables") }
    guard let version = try number("SELECT schema_version FROM repository WHERE id = 1"), version > 0 else {
      throw .corrupt("its tables have no version")
    }
    guard version <= PostgreSQLSchema.version else {
      throw CatalogError(
        .newerSchema(found: version, known: PostgreSQLSchema.version),
        "its tables are of version \(version), this program knows versions up to \(PostgreSQLSchema.version)")
    }
    return version
  }

  /// A schema that is there needs no right to make one.
  private func makeSchema(_ schema: String) throws(CatalogError) {
    let encoding = try number("SELECT (current_setting('server_encoding') = 'UTF8')::int::int8")
    guard encoding == 1 else {
      throw CatalogError(.notACatalog, "the database's encoding is not UTF8")
    }
    let exists = try number("SELECT count(*) FROM pg_namespace WHERE nspname = $1", [.text(schema)])
    if exists == 0 { try execute("CREATE SCHEMA \(SQLQuoting.identifier(schema))") }
  }

  private func repository() throws(CatalogError) -> UniqueIdentifier {
    var rows = try query("SELECT uuid FROM repository WHERE id = 1")
    guard rows.step() else { throw .corrupt("it does not say which repository it belongs to") }
    return try rows.identifier(0)
  }
}
