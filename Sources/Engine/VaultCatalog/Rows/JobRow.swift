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
  var isDropped: Bool { record.dropped != nil }

  /// The counters and their columns.
  static let counterColumns: [(name: String, field: WritableKeyPath<JobCounters, UInt64> & Sendable)] = [
    ("entries_seen", \.entriesSeen), ("regular_files_seen", \.regularFilesSeen), ("bytes_seen", \.bytesSeen),
    ("new", \.new), ("changed_size", \.changedSize), ("changed_date", \.changedDate),
    ("changed_checksum", \.changedChecksum), ("changed_attributes", \.changedAttributes), ("deleted", \.deleted),
    ("unchanged", \.unchanged), ("bytes_read", \.bytesRead), ("bytes_known", \.bytesKnown),
    ("bytes_sent", \.bytesSent), ("bytes_stored", \.bytesStored), ("problems", \.problems),
  ]

  /// Every column, for `init(reading:)`, the counters last; conditions follow.
  static let select = """
    SELECT j.number, j.session, s.uuid, j.tree, t.host, t.name, j.level, j.sequence, j.base_sequence, j.created,
      j.paths, j.status, j.attempt, j.last_commit, j.next_entry, j.ended, j.dropped, j.job_name,
      \(counterColumns.map { "j.\($0.name)" }.joined(separator: ", "))
    FROM job AS j JOIN session AS s ON s.id = j.session JOIN tree AS t ON t.id = j.tree
    """
  private static let firstCounterColumn: Int32 = 18

  /// Assigns every counter; the parameters `counters` binds.
  static let counterAssignments = counterColumns.enumerated().map { "\($1.name) = ?\($0 + 1)" }.joined(separator: ", ")
  static let counterCount = Int32(counterColumns.count)

  init(reading row: borrowing some CatalogRow & ~Copyable) throws(CatalogError) {
    session = try row.integer(1)
    tree = try row.integer(3)
    nextEntry = try row.count(14)
    guard let level = JobLevel(rawValue: try row.text(6)) else { throw .corrupt("a job's level is unknown") }
    let status = try JobStatus(letter: try row.text(11))
    guard let paths = PathListCodec.decode(try row.bytes(10)) else { throw .corrupt("a job's paths are damaged") }
    let description = JobDescription(
      number: try row.count(0), session: try row.identifier(2),
      tree: Tree(host: try row.text(4), name: ByteString(try row.bytes(5))), level: level, sequence: try row.count(7),
      baseSequence: try row.count(8), created: Timestamp(nanoseconds: try row.integer(9)), paths: paths)
    record = JobRecord(
      description: description, status: status, attempt: try row.smallCount(12), lastCommit: try row.count(13),
      ended: row.isNull(15) ? nil : Timestamp(nanoseconds: try row.integer(15)), counters: try Self.counters(row),
      dropped: row.isNull(16) ? nil : Timestamp(nanoseconds: try row.integer(16)),
      jobName: row.isNull(17) ? nil : try row.text(17))
  }

  private static func counters(_ row: borrowing some CatalogRow & ~Copyable) throws(CatalogError) -> JobCounters {
    var counters = JobCounters()
    var column = firstCounterColumn
    for (_, field) in counterColumns {
      counters[keyPath: field] = try row.count(column)
      column += 1
    }
    return counters
  }

  /// Binds the parameters from 1 on for `counterAssignments`.
  static func bind(_ counters: JobCounters, to statement: borrowing Statement) throws(CatalogError) {
    var parameter: Int32 = 1
    for (name, field) in counterColumns {
      guard let number = Int64(exactly: counters[keyPath: field]) else {
        throw CatalogError(.outOfRange, "the counter \(name) is too large")
      }
      try statement.bind(number, at: parameter)
      parameter += 1
    }
  }
}
