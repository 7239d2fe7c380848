import VaultModel

extension PostgreSQLConnection {
  // MARK: Logs

  /// Appends lines to a log; part of a transaction.
  func appendLog(_ lines: [LogLine], of number: JobNumber) throws(CatalogError) {
    let job = try ordered(number)
    // Whoever else writes this log waits; so does a drop of the job.
    try run("SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || ' log', $1))", [.integer(job)])
    try run("SELECT 1 FROM job WHERE number = $1 FOR SHARE", [.integer(job)])
    guard try hasLog(number) else { throw CatalogError(.notFound, "there is no job \(number)") }
    var last = try self.number("SELECT max(number) FROM job_log WHERE job = $1", [.integer(job)]) ?? 0
    let spool = RowSpool()
    for line in lines.lazy.map(\.bounded) {
      last += 1
      try spool.beginRow(fieldCount: 5)
      spool.append(job)
      spool.append(last)
      spool.append(line.time.nanoseconds)
      spool.append(Array(line.messageClass.utf8))
      spool.append(Array(line.text.utf8))
    }
    if !spool.isEmpty { try copy(spool, to: "job_log(job, number, time, class, text)") }
    try run(
      "DELETE FROM job_log WHERE job = $1 AND number <= $2", [.integer(job), .integer(last - LogLine.lineLimit)])
  }

  func readLog(of job: JobNumber, after number: UInt64, limit: Int) throws(CatalogError) -> [LogLine] {
    var rows = try query(
      "SELECT number, time, class, text FROM job_log WHERE job = $1 AND number > $2 ORDER BY number LIMIT $3",
      [.integer(Int64(clamping: job)), .integer(Int64(clamping: number)), .integer(Int64(max(limit, 0)))])
    var lines: [LogLine] = []
    while rows.step() { lines.append(try LogLine(reading: rows)) }
    return lines
  }

  private func hasLog(_ number: JobNumber) throws(CatalogError) -> Bool {
    if number == 0 { return true }
    if let job = try job(number: number) { return !job.isDropped }
    return try errand(number: number) != nil
  }

  // MARK: Jobs that store nothing

  func createErrand(_ request: NewErrand) throws(CatalogError) -> ErrandRecord {
    let next = try nextJobNumber()
    var subject: Int64?
    if let number = request.subject { subject = try ordered(number) }
    try run(
      "INSERT INTO errand(number, kind, tree, created, subject, status) VALUES ($1, $2, $3, $4, $5, 'R')",
      [
        .integer(next), .text(request.kind), .integer(treeNumber(making: request.tree)),
        .integer(request.created.nanoseconds), .integer(subject),
      ])
    return ErrandRecord(
      number: UInt64(next), kind: request.kind, tree: request.tree, created: request.created,
      subject: request.subject, status: .running, ended: nil, files: 0, bytes: 0, problems: 0)
  }

  func endErrand(
    _ number: JobNumber, status: JobStatus, ended: Timestamp, files: UInt64, bytes: UInt64, problems: UInt64
  ) throws(CatalogError) {
    if let row = Int64(exactly: number) {
      try run("SELECT 1 FROM errand WHERE number = $1 FOR UPDATE", [.integer(row)])
    }
    try ErrandRecord.checkEnd(status, of: try errand(number: number), number)
    try run(
      "UPDATE errand SET status = $2, ended = $3, files = $4, bytes = $5, problems = $6 WHERE number = $1",
      [
        .integer(ordered(number)), .text(String(status.rawValue)), .integer(ended.nanoseconds),
        .integer(ordered(files)), .integer(ordered(bytes)), .integer(ordered(problems)),
      ])
  }

  func errands(after number: JobNumber, limit: Int) throws(CatalogError) -> [ErrandRecord] {
    var rows = try query(
      ErrandRecord.select + " WHERE r.number > $1 ORDER BY r.number LIMIT $2",
      [.integer(Int64(clamping: number)), .integer(Int64(max(limit, 0)))])
    var errands: [ErrandRecord] = []
    while rows.step() { errands.append(try ErrandRecord(reading: rows)) }
    return errands
  }

  func errand(number: JobNumber) throws(CatalogError) -> ErrandRecord? {
    guard let number = Int64(exactly: number) else { return nil }
    var rows = try query(ErrandRecord.select + " WHERE r.number = $1", [.integer(number)])
    return rows.step() ? try ErrandRecord(reading: rows) : nil
  }

  // MARK: Lists

  func recentJobs(of tree: Tree?, before number: JobNumber?, limit: Int) throws(CatalogError) -> [JobRecord] {
    let newest = " AND j.number < $1 ORDER BY j.number DESC LIMIT $2"
    let values: [ServerValue] = [
      .integer(number.map { Int64(clamping: $0) } ?? .max), .integer(Int64(max(limit, 0))),
    ]
    guard let tree else { return try manyJobs(JobRow.select + " WHERE j.dropped IS NULL" + newest, values) }
    guard let ofTree = try treeNumber(tree) else { return [] }
    return try manyJobs(
      JobRow.select + " WHERE j.tree = $3 AND j.dropped IS NULL" + newest, values + [.integer(ofTree)])
  }
}
