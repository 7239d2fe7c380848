import VaultModel

/// A job's row with the small numbers that other tables know it by.
struct JobRow {
  var record: JobRecord
  /// The number of its session.
  var session: Int64
  /// The number of its tree.
  var tree: Int64
  /// The index that its next entry gets.
  var nextEntry: UInt64

  var number: JobNumber { record.description.number }
  var isPublished: Bool { record.status.isPublished }

  /// Every column, for `init(reading:)`; conditions follow.
  static let select = """
    SELECT j.number, j.session, s.uuid, j.tree, t.host, t.name, j.level, j.sequence, j.base_sequence, j.created,
      j.paths, j.status, j.attempt, j.last_commit, j.next_entry, j.ended, j.entries_seen, j.regular_files_seen,
      j.bytes_seen, j.new, j.changed, j.deleted, j.unchanged, j.bytes_read, j.bytes_sent, j.bytes_stored, j.problems
    FROM job AS j JOIN session AS s ON s.id = j.session JOIN tree AS t ON t.id = j.tree
    """

  /// Assigns every counter; the parameters `counters` binds.
  static let counterAssignments = """
    entries_seen = ?1, regular_files_seen = ?2, bytes_seen = ?3, new = ?4, changed = ?5, deleted = ?6, unchanged = ?7,
      bytes_read = ?8, bytes_sent = ?9, bytes_stored = ?10, problems = ?11
    """
  static let counterCount: Int32 = 11

  init(reading row: borrowing Statement) throws(CatalogError) {
    session = row.integer(1)
    tree = row.integer(3)
    nextEntry = try row.count(14)
    guard let level = JobLevel(rawValue: try row.text(6)) else { throw .corrupt("a job's level is unknown") }
    let letter = try row.text(11)
    guard letter.count == 1, let status = letter.first.flatMap({ JobStatus(rawValue: $0) }) else {
      throw .corrupt("a job's status is unknown")
    }
    guard let paths = PathListCodec.decode(row.bytes(10)) else { throw .corrupt("a job's paths are damaged") }
    let description = JobDescription(
      number: try row.count(0), session: try row.identifier(2),
      tree: Tree(host: try row.text(4), name: ByteString(row.bytes(5))), level: level, sequence: try row.count(7),
      baseSequence: try row.count(8), created: Timestamp(nanoseconds: row.integer(9)), paths: paths)
    record = JobRecord(
      description: description, status: status, attempt: try row.smallCount(12), lastCommit: try row.count(13),
      ended: row.isNull(15) ? nil : Timestamp(nanoseconds: row.integer(15)), counters: try Self.counters(row))
  }

  private static func counters(_ row: borrowing Statement) throws(CatalogError) -> JobCounters {
    var counters = JobCounters()
    counters.entriesSeen = try row.count(16)
    counters.regularFilesSeen = try row.count(17)
    counters.bytesSeen = try row.count(18)
    counters.new = try row.count(19)
    counters.changed = try row.count(20)
    counters.deleted = try row.count(21)
    counters.unchanged = try row.count(22)
    counters.bytesRead = try row.count(23)
    counters.bytesSent = try row.count(24)
    counters.bytesStored = try row.count(25)
    counters.problems = try row.count(26)
    return counters
  }

  /// Binds parameters 1 to 11 for `counterAssignments`.
  static func bind(_ counters: JobCounters, to statement: borrowing Statement) throws(CatalogError) {
    let values = [
      counters.entriesSeen, counters.regularFilesSeen, counters.bytesSeen, counters.new, counters.changed,
      counters.deleted, counters.unchanged, counters.bytesRead, counters.bytesSent, counters.bytesStored,
      counters.problems,
    ]
    for (index, value) in values.enumerated() {
      guard let number = Int64(exactly: value) else {
        throw CatalogError(.outOfRange, "the counter \(value) is too large")
      }
      try statement.bind(number, at: Int32(index) + 1)
    }
  }
}
