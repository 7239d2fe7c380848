import CSQLite
import Glibc
import VaultModel

/// What opening a catalog may do to its file.
package enum CatalogMode: Sendable {
  /// Makes the catalog when there is none.
  case createOrOpen
  /// Opens a catalog that is there.
  case open
  /// Opens a catalog on a read-only file system: takes no lock, writes nothing.
  case readOnlyImmutable
}

/// How SQLite keeps a catalog.
package struct CatalogOptions: Sendable {
  /// How a transaction survives a crash.
  package enum Journal: Sendable {
    /// A write-ahead log where the file system takes one, else a rollback journal.
    case writeAhead
    case rollback
  }

  /// The page size of a new catalog: a power of two from 512 to 65,536.
  package var pageByteCount = 4096
  /// What SQLite may keep in memory of the file.
  package var cacheByteCount = 16 << 20
  /// What the sorted rows of selections that are read at once may take in memory.
  package var sortByteCount = 32 << 20
  package var journal = Journal.writeAhead

  package init() {}
}

extension SQLiteCatalog {
  /// Opens a catalog file, brings its tables to this program's version and keeps it from every other process.
  ///
  /// - Parameter newRepository: the repository's UUID if the catalog is made now.
  /// - Throws: `.notACatalog`, `.newerSchema`, `.missingCatalog`, `.busy`, `.recoveryNeeded`, `.corrupt`; the file is
  ///   as it was.
  /// - Durability: a new catalog's tables and UUID are synced when this returns.
  package static func open(
    path: ByteString, mode: CatalogMode, newRepository: UniqueIdentifier, options: CatalogOptions = CatalogOptions()
  ) throws(CatalogError) -> SQLiteCatalog {
    do throws(CatalogError) {
      guard !path.isEmpty, !path.bytes.contains(0) else {
        throw CatalogError(.missingCatalog, "its path is not a path")
      }
      try refuseMissingFile(path, mode)
      let flags: Int32
      switch mode {
      case .createOrOpen: flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
      case .open: flags = SQLITE_OPEN_READWRITE
      case .readOnlyImmutable: flags = SQLITE_OPEN_READONLY
      }
      let database = try Database(uri: uri(of: path, immutable: mode == .readOnlyImmutable), flags: flags)
      let connection = CatalogConnection(database, path: path)
      return try prepared(connection, mode: mode, newRepository: newRepository, options: options)
    } catch {
      throw error.located(activity: "opening it", path: path)
    }
  }

  /// Makes a catalog that lives in memory and ends with its last reference: for tests and trial runs.
  package static func inMemory(
    newRepository: UniqueIdentifier, options: CatalogOptions = CatalogOptions()
  ) throws(CatalogError) -> SQLiteCatalog {
    let database = try Database(uri: ":memory:", flags: SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE)
    let connection = CatalogConnection(database, path: "in memory")
    return try prepared(connection, mode: .createOrOpen, newRepository: newRepository, options: options)
  }

  /// Makes a catalog that goes with its last reference, in a file without a name where memory does not do.
  package static func temporary(newRepository: UniqueIdentifier) throws(CatalogError) -> SQLiteCatalog {
    let database = try Database(uri: "", flags: SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE)
    let connection = CatalogConnection(database, path: "of volumes")
    return try prepared(
      connection, mode: .createOrOpen, newRepository: newRepository, options: CatalogOptions())
  }

  private static func prepared(
    _ connection: CatalogConnection, mode: CatalogMode, newRepository: UniqueIdentifier, options: CatalogOptions
  ) throws(CatalogError) -> SQLiteCatalog {
    connection.sortByteCount = options.sortByteCount
    // Exclusive before the first look at the file: a write-ahead log then needs no shared memory file.
    try connection.execute(
      """
      PRAGMA locking_mode = EXCLUSIVE;
      PRAGMA trusted_schema = OFF;
      PRAGMA cell_size_check = ON;
      PRAGMA secure_delete = OFF;
      PRAGMA page_size = \(options.pageByteCount);
      PRAGMA cache_size = \(-max(options.cacheByteCount, 1 << 20) / 1024);
      """)
    let found = try connection.schemaVersion(mayCreate: mode == .createOrOpen)
    if mode == .readOnlyImmutable {
      guard found == CatalogSchema.version else {
        throw CatalogError(
          .readOnly, "its tables are of version \(found) and must be brought to \(CatalogSchema.version)")
      }
    } else {
      try connection.configureJournal(options.journal)
      try connection.migrate(from: found, newRepository: newRepository)
    }
    return SQLiteCatalog(connection: connection, repository: try connection.repository())
  }

  private static func refuseMissingFile(_ path: ByteString, _ mode: CatalogMode) throws(CatalogError) {
    guard mode != .createOrOpen else { return }
    guard fileSize(path) != nil else { throw CatalogError(.missingCatalog, "there is no such file") }
    guard mode == .readOnlyImmutable else { return }
    for suffix in ["-wal", "-journal"] where (fileSize(ByteString(path.bytes + Array(suffix.utf8))) ?? 0) > 0 {
      throw CatalogError(.recoveryNeeded, "changes wait in the file beside it that ends in \(suffix)")
    }
  }

  /// A file's size; nil when there is none, or it cannot be seen.
  private static func fileSize(_ path: ByteString) -> Int64? {
    var status = stat()
    let code = (path.bytes + [0]).withUnsafeBufferPointer { bytes in
      bytes.withMemoryRebound(to: CChar.self) { characters in
        characters.baseAddress.map { stat($0, &status) } ?? -1
      }
    }
    return code == 0 ? Int64(status.st_size) : nil
  }

  /// The URI of a path of any bytes; without one, a path that begins with `file:` would be taken for a URI.
  private static func uri(of path: ByteString, immutable: Bool) -> String {
    var uri = path.bytes.first == 0x2f ? "file://" : "file:"
    for byte in path.bytes {
      switch byte {
      case 0x2f, 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f: uri.unicodeScalars.append(UnicodeScalar(byte))
      default:
        let digits = String(byte, radix: 16)
        uri += digits.count == 1 ? "%0\(digits)" : "%\(digits)"
      }
    }
    return immutable ? uri + "?immutable=1" : uri
  }
}
