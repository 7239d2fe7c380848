import VaultModel

extension CatalogConnection {
  /// The version of the file's tables; 0 when the file is empty.
  ///
  /// - Throws: `.notACatalog` for another program's file, `.newerSchema` for a newer program's; nothing was written.
  func schemaVersion(mayCreate: Bool) throws(CatalogError) -> Int64 {
    let application = try number("PRAGMA application_id")
    let version = try number("PRAGMA user_version")
    let tableCount = try number("SELECT count(*) FROM sqlite_schema")
    if application == 0, version == 0, tableCount == 0 {
      guard mayCreate else { throw CatalogError(.notACatalog, "the file is empty") }
      return 0
    }
    guard application == CatalogSchema.applicationIdentifier else {
      throw CatalogError(.notACatalog, "the file is another program's database")
    }
    guard version <= CatalogSchema.version else {
      throw CatalogError(
        .newerSchema(found: version, known: CatalogSchema.version),
        "its tables are of version \(version), this program knows versions up to \(CatalogSchema.version)")
    }
    guard version > 0 else { throw .corrupt("its tables have no version") }
    return version
  }

  /// A write-ahead log where it works, a rollback journal where it does not; each sync on stable storage before a
  /// commit returns.
  func configureJournal(_ journal: CatalogOptions.Journal) throws(CatalogError) {
    var isWriteAhead = false
    if journal == .writeAhead {
      do {
        isWriteAhead = try text("PRAGMA journal_mode = WAL") == "wal"
      } catch  where !error.isAboutJournal {
        throw error
      } catch {
        isWriteAhead = false
      }
    }
    if !isWriteAhead { _ = try text("PRAGMA journal_mode = DELETE") }
    try execute(
      """
      PRAGMA synchronous = FULL;
      PRAGMA wal_autocheckpoint = 8192;
      PRAGMA journal_size_limit = 67108864;
      """)
  }

  /// Applies the migrations that the file lacks, in one transaction, and takes the file for this process.
  func migrate(from found: Int64, newRepository: UniqueIdentifier) throws(CatalogError) {
    try execute("BEGIN EXCLUSIVE")
    do {
      for index in Int(found)..<CatalogSchema.migrations.count {
        try execute(CatalogSchema.migrations[index])
      }
      if found < CatalogSchema.version {
        try execute(
          """
          PRAGMA application_id = \(CatalogSchema.applicationIdentifier);
          PRAGMA user_version = \(CatalogSchema.version);
          """)
      }
      if found == 0 {
        let insert = try statement("INSERT INTO repository(id, uuid) VALUES (1, ?1)")
        try newRepository.withBytes { bytes throws(CatalogError) in
          try insert.statement.bind(copying: bytes, at: 1)
        }
        try insert.statement.run()
      }
      try execute("COMMIT")
    } catch {
      rollBack()
      throw error
    }
  }

  /// The repository's UUID.
  func repository() throws(CatalogError) -> UniqueIdentifier {
    let select = try statement("SELECT uuid FROM repository WHERE id = 1")
    defer { select.statement.reset() }
    guard try select.statement.step() else { throw .corrupt("it does not say which repository it belongs to") }
    return try select.statement.identifier(0)
  }
}

extension CatalogError {
  /// Whether a file system that takes no write-ahead log may be the reason.
  fileprivate var isAboutJournal: Bool {
    switch kind {
    case .inputOutput, .engine: true
    default: false
    }
  }
}
