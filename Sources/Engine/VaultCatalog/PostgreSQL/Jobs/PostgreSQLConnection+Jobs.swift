import VaultModel

extension PostgreSQLConnection {
  func trees() throws(CatalogError) -> [TreeRecord] {
    var rows = try query(
      """
      SELECT host, name FROM tree AS t
      WHERE EXISTS (SELECT 1 FROM job AS j WHERE j.tree = t.id AND j.dropped IS NULL) ORDER BY host, name
      """)
    var trees: [TreeRecord] = []
    while rows.step() {
      let tree = Tree(host: try rows.text(0), name: ByteString(try rows.bytes(1)))
      trees.append(
        TreeRecord(tree: tree, latest: try latestPublishedJob(of: tree, fullOnly: false, endedBy: nil)))
    }
    return trees
  }

  func sessions(of tree: Tree) throws(CatalogError) -> [UniqueIdentifier] {
    guard let number = try treeNumber(tree) else { return [] }
    var rows = try query(
      "SELECT s.uuid FROM job AS j JOIN session AS s ON s.id = j.session WHERE j.tree = $1 ORDER BY j.sequence",
      [.integer(number)])
    var sessions: [UniqueIdentifier] = []
    while rows.step() { sessions.append(try rows.identifier(0)) }
    return sessions
  }

  /// The next number of all jobs; others wait until the transaction ends.
  func nextJobNumber() throws(CatalogError) -> Int64 {
    let next = try number(
      """
      UPDATE repository SET last_number = greatest(last_number, (SELECT max(number) FROM job)) + 1
      WHERE greatest(last_number, (SELECT max(number) FROM job)) < \(Int64.max) RETURNING last_number
      """)
    guard let next, next > 0 else { throw CatalogError(.outOfRange, "there are no job numbers left") }
    return next
  }

  func createJob(_ request: NewJob) throws(CatalogError) -> JobRecord {
    let next = UInt64(try nextJobNumber())
    return try insert(
      JobDescription(
        number: next, session: request.session, tree: request.tree, level: request.level, sequence: next,
        baseSequence: request.baseSequence, created: request.created, paths: request.paths), jobName: request.jobName)
  }

  func adoptJob(_ description: JobDescription) throws(CatalogError) -> JobRecord {
    if let known = try job(session: description.session) { return known.record }
    guard try job(number: description.number) == nil else {
      throw CatalogError(.conflict, "another session has the job number \(description.number)")
    }
    return try insert(description, jobName: nil)
  }

  private func insert(_ description: JobDescription, jobName: String?) throws(CatalogError) -> JobRecord {
    var buffer = ScratchBuffer(capacity: 256)
    PathListCodec.append(description.paths, to: &buffer)
    let paths = Array(buffer.bytes(0..<buffer.count))
    let count = try run(
      """
      INSERT INTO job(number, session, tree, level, sequence, base_sequence, created, paths, status, job_name)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'C', $9) ON CONFLICT DO NOTHING
      """,
      [
        .integer(ordered(description.number)), .integer(sessionNumber(description.session)),
        .integer(treeNumber(making: description.tree)), .text(description.level.rawValue),
        .integer(ordered(description.sequence)), .integer(ordered(description.baseSequence)),
        .integer(description.created.nanoseconds), .bytes(paths), .text(jobName),
      ])
    guard count == 1 else {
      throw CatalogError(.conflict, "another job has the session, or the tree's sequence \(description.sequence)")
    }
    return JobRecord(
      description: description, status: .created, attempt: 0, lastCommit: 0, ended: nil, counters: JobCounters(),
      jobName: jobName)
  }

  // MARK: Finding

  func job(number: JobNumber) throws(CatalogError) -> JobRow? {
    guard let number = Int64(exactly: number) else { return nil }
    return try oneJob(JobRow.select + " WHERE j.number = $1", [.integer(number)])
  }

  func job(session: UniqueIdentifier) throws(CatalogError) -> JobRow? {
    try oneJob(JobRow.select + " WHERE s.uuid = $1", [session.serverValue])
  }

  /// The job with a number that must exist, and not be dropped.
  func existingJob(_ number: JobNumber) throws(CatalogError) -> JobRow {
    guard let row = try job(number: number), !row.isDropped else {
      throw CatalogError(.notFound, "there is no job \(number)")
    }
    return row
  }

  /// The same, and it stays as it is until the transaction ends.
  func lockedJob(_ number: JobNumber) throws(CatalogError) -> JobRow {
    if let number = Int64(exactly: number) {
      try run("SELECT 1 FROM job WHERE number = $1 FOR UPDATE", [.integer(number)])
    }
    return try existingJob(number)
  }

  func jobs(of tree: Tree?) throws(CatalogError) -> [JobRecord] {
    let kept = JobRow.select + " WHERE j.dropped IS NULL"
    guard let tree else { return try manyJobs(kept + " ORDER BY j.number") }
    guard let number = try treeNumber(tree) else { return [] }
    return try manyJobs(kept + " AND j.tree = $1 ORDER BY j.number", [.integer(number)])
  }

  func interruptedJob(of tree: Tree) throws(CatalogError) -> JobRecord? {
    guard let number = try treeNumber(tree) else { return nil }
    let latest = try latestSequence(ofTree: number)
    return try oneJob(
      JobRow.select
        + " WHERE j.tree = $1 AND j.sequence > $2 AND j.status IN ('C', 'R', 'I') AND j.dropped IS NULL"
        + " ORDER BY j.sequence DESC LIMIT 1", [.integer(number), .integer(latest)])?.record
  }

  func latestPublishedJob(of tree: Tree, fullOnly: Bool, endedBy: Timestamp?) throws(CatalogError) -> JobRecord? {
    guard let number = try treeNumber(tree) else { return nil }
    return try oneJob(
      JobRow.select
        + " WHERE j.tree = $1 AND j.status IN ('T', 'W') AND j.dropped IS NULL"
        + " AND ($2 = 0 OR j.level = 'full') AND ($3 IS NULL OR j.ended <= $3) ORDER BY j.sequence DESC LIMIT 1",
      [.integer(number), .integer(fullOnly ? 1 : 0), .integer(endedBy?.nanoseconds)])?.record
  }

  /// The highest sequence of a tree's published jobs; 0 when there is none.
  func latestSequence(ofTree tree: Int64) throws(CatalogError) -> Int64 {
    try number(
      """
      SELECT sequence FROM job WHERE tree = $1 AND status IN ('T', 'W') AND dropped IS NULL
      ORDER BY sequence DESC LIMIT 1
      """, [.integer(tree)]) ?? 0
  }

  func oneJob(_ sql: String, _ values: [ServerValue]) throws(CatalogError) -> JobRow? {
    var rows = try query(sql, values)
    return rows.step() ? try JobRow(reading: rows) : nil
  }

  func manyJobs(_ sql: String, _ values: [ServerValue] = []) throws(CatalogError) -> [JobRecord] {
    var rows = try query(sql, values)
    var jobs: [JobRecord] = []
    while rows.step() { jobs.append(try JobRow(reading: rows).record) }
    return jobs
  }

  // MARK: Changing

  func startAttempt(_ attempt: UInt32, of number: JobNumber) throws(CatalogError) {
    let job = try lockedJob(number)
    guard job.record.status.isContinuable else {
      throw CatalogError(.conflict, "job \(number) is over: \(job.record.status.title)")
    }
    try run(
      "UPDATE job SET status = 'R', attempt = $2, ended = NULL WHERE number = $1",
      [.integer(ordered(number)), .integer(Int64(attempt))])
  }

  func rebase(_ number: JobNumber, level: JobLevel, baseSequence: UInt64) throws(CatalogError) {
    let job = try lockedJob(number)
    guard job.record.attempt == 0 else { throw CatalogError(.conflict, "job \(number) began already") }
    try run(
      "UPDATE job SET level = $2, base_sequence = $3 WHERE number = $1",
      [.integer(ordered(number)), .text(level.rawValue), .integer(ordered(baseSequence))])
  }

  func endJob(_ number: JobNumber, outcome: JobOutcome) throws(CatalogError) {
    let job = try lockedJob(number)
    guard !job.isPublished else { throw CatalogError(.conflict, "job \(number) is published already") }
    guard !outcome.status.isPublished else {
      throw CatalogError(.conflict, "only publishing gives a job the status \(outcome.status.title)")
    }
    try recordOutcome(outcome, of: number)
  }

  /// Writes how a job ended; part of a transaction.
  func recordOutcome(_ outcome: JobOutcome, of number: JobNumber) throws(CatalogError) {
    var values: [ServerValue] = [
      .integer(try ordered(number)), .text(String(outcome.status.rawValue)), .integer(outcome.ended.nanoseconds),
    ]
    var assignments = ["status = $2", "ended = $3"]
    for (name, field) in JobRow.counterColumns {
      guard let count = Int64(exactly: outcome.counters[keyPath: field]) else {
        throw CatalogError(.outOfRange, "the counter \(name) is too large")
      }
      values.append(.integer(count))
      assignments.append("\(name) = $\(values.count)")
    }
    try run("UPDATE job SET \(assignments.joined(separator: ", ")) WHERE number = $1", values)
  }

  func problems(of job: JobNumber, after number: UInt64, limit: Int) throws(CatalogError) -> [FileProblem] {
    var rows = try query(
      """
      SELECT d.key, p.name, p.phase, p.error_number FROM problem AS p JOIN directory AS d ON d.id = p.directory
      WHERE p.job = $1 AND p.number > $2 ORDER BY p.number LIMIT $3
      """, [.integer(ordered(job)), .integer(ordered(number)), .integer(Int64(limit))])
    var problems: [FileProblem] = []
    while rows.step() { problems.append(try FileProblem(reading: rows, of: job)) }
    return problems
  }
}
