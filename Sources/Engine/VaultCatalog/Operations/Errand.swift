import VaultModel

/// A job that stores nothing and is about to begin: a restore, a verification.
package struct NewErrand: Hashable, Sendable {
  /// What it does: `restore`, `verify`.
  package var kind: String
  package var tree: Tree
  package var created: Timestamp
  /// The job that is restored or verified.
  package var subject: JobNumber?

  package init(kind: String, tree: Tree, created: Timestamp, subject: JobNumber? = nil) {
    self.kind = kind
    self.tree = tree
    self.created = created
    self.subject = subject
  }
}

/// A job that stores nothing: it has a number of the same count as other jobs, a status and a log.
package struct ErrandRecord: Hashable, Sendable {
  package var number: JobNumber
  package var kind: String
  package var tree: Tree
  package var created: Timestamp
  package var subject: JobNumber?
  package var status: JobStatus
  package var ended: Timestamp?
  package var files: UInt64
  package var bytes: UInt64
  package var problems: UInt64

  package init(
    number: JobNumber, kind: String, tree: Tree, created: Timestamp, subject: JobNumber?, status: JobStatus,
    ended: Timestamp?, files: UInt64, bytes: UInt64, problems: UInt64
  ) {
    self.number = number
    self.kind = kind
    self.tree = tree
    self.created = created
    self.subject = subject
    self.status = status
    self.ended = ended
    self.files = files
    self.bytes = bytes
    self.problems = problems
  }
}

extension ErrandRecord {
  /// Every column, for `init(reading:)`; conditions follow.
  static let select = """
    SELECT r.number, r.kind, t.host, t.name, r.created, r.subject, r.status, r.ended, r.files, r.bytes, r.problems
    FROM errand AS r JOIN tree AS t ON t.id = r.tree
    """

  init(reading row: borrowing some CatalogRow & ~Copyable) throws(CatalogError) {
    self.init(
      number: try row.count(0), kind: try row.text(1),
      tree: Tree(host: try row.text(2), name: ByteString(try row.bytes(3))),
      created: Timestamp(nanoseconds: try row.integer(4)), subject: row.isNull(5) ? nil : try row.count(5),
      status: try JobStatus(letter: try row.text(6)),
      ended: row.isNull(7) ? nil : Timestamp(nanoseconds: try row.integer(7)), files: try row.count(8),
      bytes: try row.count(9), problems: try row.count(10))
  }
}

extension JobStatus {
  /// The status of its letter, as a column holds it.
  init(letter: String) throws(CatalogError) {
    guard letter.count == 1, let status = letter.first.flatMap({ JobStatus(rawValue: $0) }) else {
      throw .corrupt("a job's status is unknown")
    }
    self = status
  }
}
