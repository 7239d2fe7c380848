import VaultModel

/// A catalog call that failed; it changed nothing.
package struct CatalogError: DescribedError {
  /// What went wrong, as far as a caller decides by it.
  package enum Kind: Hashable, Sendable {
    /// Another process has the catalog open.
    case busy
    /// A newer program made the catalog.
    case newerSchema(found: Int64, known: Int64)
    /// The file is no database, or another program's.
    case notACatalog
    /// There is no such file.
    case missingCatalog
    /// What was asked contradicts what is recorded: a job published already, a number taken.
    case conflict
    /// No such job, volume or entry.
    case notFound
    /// The database, or a value in it, cannot be true.
    case corrupt
    case diskFull
    case readOnly
    /// The catalog was not closed and lies on a read-only file system.
    case recoveryNeeded
    /// The store was closed before.
    case closed
    /// A number is above 2^63 − 1.
    case outOfRange
    /// Reading or writing failed, with SQLite's extended code.
    case inputOutput(Int32)
    /// Anything else the engine says, with its extended code.
    case engine(Int32)
    /// The database server is away, or went away during a call.
    case unreachable
    /// The database server does not let us: a wrong password, no such database, no permission.
    case refused
    /// Anything else that PostgreSQL says, with its SQLSTATE.
    case server(String)
    /// The caller's own closure threw `cause`.
    case callerFailed
  }

  package let kind: Kind
  /// What is the matter, in the engine's words or ours.
  package let detail: String
  /// What the catalog was doing: `publishing job 7`.
  package internal(set) var activity = ""
  /// The database file, or the place on a server.
  package internal(set) var path: ByteString = ""
  /// Whether the catalog is on a server.
  private var isOnServer = false
  /// What the caller's closure threw.
  package let cause: (any Error)?

  init(_ kind: Kind, _ detail: String, cause: (any Error)? = nil) {
    self.kind = kind
    self.detail = detail
    self.cause = cause
  }

  /// The error for what a caller's closure threw; a catalog error stays itself.
  static func fromCaller(_ error: any Error) -> CatalogError {
    if let own = error as? CatalogError { return own }
    return CatalogError(.callerFailed, "\(error)", cause: error)
  }

  /// The same error, knowing what was going on where; what is known already stays.
  func located(activity: String, path: ByteString, isOnServer: Bool = false) -> CatalogError {
    var error = self
    error.isOnServer = error.isOnServer || isOnServer
    if error.activity.isEmpty { error.activity = activity }
    if error.path.isEmpty { error.path = path }
    return error
  }
}

extension CatalogError {
  package var exitStatus: ExitStatus {
    switch kind {
    case .newerSchema, .notACatalog: .usage
    case .busy: .inUse
    case .corrupt: .damaged
    case .missingCatalog, .notFound: .notFound
    case .unreachable, .refused: .unreachable
    case .callerFailed: (cause as? any DescribedError)?.exitStatus ?? .jobFailed
    default: .jobFailed
    }
  }

  package var description: String {
    if kind == .callerFailed { return detail }
    let catalog = path.isEmpty ? "The catalog" : "The catalog \(path.displayText)"
    let during = activity.isEmpty ? "" : " while \(activity)"
    return "\(catalog) \(complaint)\(during): \(detail). \(advice)"
  }

  private var complaint: String {
    switch kind {
    case .busy: "is in use by another process"
    case .newerSchema: "was made by a newer vault"
    case .notACatalog: "is not a vault catalog"
    case .missingCatalog: "does not exist"
    case .conflict, .outOfRange: "refused"
    case .notFound: "lacks what was asked for"
    case .corrupt: "is damaged, as found"
    case .diskFull: "has no room to grow"
    case .readOnly: "cannot be changed"
    case .recoveryNeeded: "was not closed and cannot be recovered"
    case .closed: "is closed already"
    case .inputOutput: "could not be read or written"
    case .unreachable: "cannot be reached"
    case .refused: "refuses this user"
    case .engine, .server, .callerFailed: "failed"
    }
  }

  private var advice: String {
    if isOnServer, let advice = serverAdvice { return advice }
    return switch kind {
    case .busy: "Nothing was changed; wait until the other process has ended."
    case .newerSchema: "Nothing was changed; use the newer vault."
    case .notACatalog: "Nothing was changed; name another repository."
    case .missingCatalog: "`vault volume scan` rebuilds a catalog from its volumes."
    case .corrupt: "The volumes are unharmed; move the file away and rebuild it with `vault volume scan`."
    case .diskFull: "Nothing was changed; free some space and run the command again."
    case .readOnly: "Nothing was changed; make the file and its file system writable."
    case .recoveryNeeded: "Mount the file system writable once and run the command again."
    case .inputOutput: "Nothing was changed; check the disk and run the command again."
    default: "Nothing was changed."
    }
  }

  /// What to do about a server where a file would need something else.
  private var serverAdvice: String? {
    switch kind {
    case .unreachable: "See that the server runs and can be reached, then run the command again."
    case .refused: "Check user, password and database in the configuration; `vault dir --init-catalog` makes both."
    case .notACatalog: "Nothing was changed; name another schema or database."
    case .corrupt: "The volumes are unharmed; drop the schema and rebuild the catalog with `vault volume scan`."
    case .diskFull: "Nothing was changed; make room on the server and run the command again."
    case .readOnly: "Nothing was changed; name the primary server, this one is a standby or read-only."
    case .inputOutput: "Nothing was changed; check the server's disk and log."
    default: nil
    }
  }
}
