import VaultModel

extension CatalogConnection {
  func trees() throws(CatalogError) -> [TreeRecord] {
    let select = try statement(
      """
      SELECT host, name FROM tree AS t
      WHERE EXISTS (SELECT 1 FROM job AS j WHERE j.tree = t.id AND j.dropped IS NULL) ORDER BY host, name
      """)
    defer { select.statement.reset() }
    var trees: [TreeRecord] = []
    while try select.statement.step() {
      let tree = Tree(host: try select.statement.text(0), name: ByteString(select.statement.bytes(1)))
      trees.append(TreeRecord(tree: tree, latest: nil))
    }
    for index in trees.indices {
      trees[index].latest = try latestPublishedJob(of: trees[index].tree, fullOnly: false, endedBy: nil)
    }
    return trees
  }

  func sessions(of tree: Tree) throws(CatalogError) -> [UniqueIdentifier] {
    guard let number = try treeNumber(tree) else { return [] }
    let select = try statement(
      "SELECT s.uuid FROM job AS j JOIN session AS s ON s.id = j.session WHERE j.tree = ?1 ORDER BY j.sequence")
    defer { select.statement.reset() }
    try select.statement.bind(number, at: 1)
    var sessions: [UniqueIdentifier] = []
    while try select.statement.step() { sessions.append(try select.statement.identifier(0)) }
    return sessions
  }

  func createJob(_ request: NewJob) throws(CatalogError) -> JobRecord {
    try transaction { () throws(CatalogError) in
      let next = try number(
        "SELECT max((SELECT coalesce(max(number), 0) FROM job), (SELECT last_number FROM repository))")
      guard next >= 0, next < Int64.max else { throw CatalogError(.outOfRange, "there are no job numbers left") }
      return try insert(
        JobDescription(
          number: UInt64(next) + 1, session: request.session, tree: request.tree, level: request.level,
          sequence: UInt64(next) + 1, baseSequence: request.baseSequence, created: request.created,
          paths: request.paths), jobName: request.jobName)
    }
  }

  func adoptJob(_ description: JobDescription) throws(CatalogError) -> JobRecord {
    try transaction { () throws(CatalogError) in
      if let known = try job(session: description.session) { return known.record }
      guard try job(number: description.number) == nil else {
        throw CatalogError(.conflict, "another session has the job number \(description.number)")
      }
      return try insert(description)
    }
  }

  func job(number: JobNumber) throws(CatalogError) -> JobRow? {
    guard let number = Int64(exactly: number) else { return nil }
    return try oneJob(JobRow.select + " WHERE j.number = ?1") { statement throws(CatalogError) in
      try statement.statement.bind(number, at: 1)
    }
  }

  func job(session: UniqueIdentifier) throws(CatalogError) -> JobRow? {
    try oneJob(JobRow.select + " WHERE j.session = (SELECT id FROM session WHERE uuid = ?1)") {
      statement throws(CatalogError) in
      try session.withBytes { bytes throws(CatalogError) in try statement.statement.bind(copying: bytes, at: 1) }
    }
  }

  /// The job with a number that must exist, and not be dropped.
  func existingJob(_ number: JobNumber) throws(CatalogError) -> JobRow {
    guard let row = try job(number: number), !row.isDropped else {
      throw CatalogError(.notFound, "there is no job \(number)")
    }
    return row
  }

  func jobs(of tree: Tree?) throws(CatalogError) -> [JobRecord] {
    let kept = JobRow.select + " WHERE j.dropped IS NULL"
    guard let tree else { return try manyJobs(kept + " ORDER BY j.number") { _ in } }
    guard let number = try treeNumber(tree) else { return [] }
    return try manyJobs(kept + " AND j.tree = ?1 ORDER BY j.number") { statement throws(CatalogError) in
      try statement.statement.bind(number, at: 1)
    }
  }

  func interruptedJob(of tree: Tree) throws(CatalogError) -> JobRecord? {
    guard let number = try treeNumber(tree) else { return nil }
    let latest = try latestSequence(ofTree: number)
    let sql =
      JobRow.select
      + " WHERE j.tree = ?1 AND j.sequence > ?2 AND j.status IN ('C', 'R', 'I') AND j.dropped IS NULL"
      + " ORDER BY j.sequence DESC LIMIT 1"
    return try oneJob(sql) { statement throws(CatalogError) in
      try statement.statement.bind(number, at: 1)
      try statement.statement.bind(latest, at: 2)
    }?.record
  }

  func latestPublishedJob(of tree: Tree, fullOnly: Bool, endedBy: Timestamp?) throws(CatalogError) -> JobRecord? {
    guard let number = try treeNumber(tree) else { return nil }
    let sql =
      JobRow.select
      + " WHERE j.tree = ?1 AND j.status IN ('T', 'W') AND j.dropped IS NULL"
      + " AND (?2 = 0 OR j.level = 'full') AND (?3 IS NULL OR j.ended <= ?3) ORDER BY j.sequence DESC LIMIT 1"
    return try oneJob(sql) { statement throws(CatalogError) in
      try statement.statement.bind(number, at: 1)
      try statement.statement.bind(fullOnly ? Int64(1) : 0, at: 2)
      try statement.statement.bind(endedBy?.nanoseconds, at: 3)
    }?.record
  }

  /// The highest sequence of a tree's published jobs; 0 when there is none.
  func latestSequence(ofTree tree: Int64) throws(CatalogError) -> Int64 {
    let select = try statement(
      """
      SELECT sequence FROM job WHERE tree = ?1 AND status IN ('T', 'W') AND dropped IS NULL
      ORDER BY sequence DESC LIMIT 1
      """)
    defer { select.statement.reset() }
    try select.statement.bind(tree, at: 1)
    return try select.statement.step() ? select.statement.integer(0) : 0
  }

  func startAttempt(_ attempt: UInt32, of number: JobNumber) throws(CatalogError) {
    try transaction { () throws(CatalogError) in
      let job = try existingJob(number)
      guard job.record.status.isContinuable else {
        throw CatalogError(.conflict, "job \(number) is over: \(job.record.status.title)")
      }
      let update = try statement("UPDATE job SET status = 'R', attempt = ?2, ended = NULL WHERE number = ?1")
      try update.statement.bind(ordered(number), at: 1)
      try update.statement.bind(Int64(attempt), at: 2)
      try update.statement.run()
    }
  }

  func endJob(_ number: JobNumber, outcome: JobOutcome) throws(CatalogError) {
    try transaction { () throws(CatalogError) in
      let job = try existingJob(number)
      guard !job.isPublished else { throw CatalogError(.conflict, "job \(number) is published already") }
      guard !outcome.status.isPublished else {
        throw CatalogError(.conflict, "only publishing gives a job the status \(outcome.status.title)")
      }
      try recordOutcome(outcome, of: number)
    }
  }

  /// Writes how a job ended; part of a transaction.
  func recordOutcome(_ outcome: JobOutcome, of number: JobNumber) throws(CatalogError) {
    let update = try statement(
      """
      UPDATE job SET \(JobRow.counterAssignments), status = ?\(JobRow.counterCount + 1),
        ended = ?\(JobRow.counterCount + 2) WHERE number = ?\(JobRow.counterCount + 3)
      """
    )
    try JobRow.bind(outcome.counters, to: update.statement)
    try update.statement.bind(String(outcome.status.rawValue), at: JobRow.counterCount + 1)
    try update.statement.bind(outcome.ended.nanoseconds, at: JobRow.counterCount + 2)
    try update.statement.bind(ordered(number), at: JobRow.counterCount + 3)
    try update.statement.run()
  }

  func problems(of job: JobNumber, after number: UInt64, limit: Int) throws(CatalogError) -> [FileProblem] {
    let select = try statement(
      """
      SELECT d.key, p.name, p.phase, p.error_number FROM problem AS p JOIN directory AS d ON d.id = p.directory
      WHERE p.job = ?1 AND p.number > ?2 ORDER BY p.number LIMIT ?3
      """)
    defer { select.statement.reset() }
    try select.statement.bind(ordered(job), at: 1)
    try select.statement.bind(ordered(number), at: 2)
    try select.statement.bind(Int64(limit), at: 3)
    var problems: [FileProblem] = []
    while try select.statement.step() {
      problems.append(try FileProblem(reading: select.statement, of: job))
    }
    return problems
  }

  // MARK: Rows

  private func insert(
    _ description: JobDescription, jobName: String? = nil
  ) throws(CatalogError) -> JobRecord {
    let insert = try statement(
      """
      INSERT INTO job(number, session, tree, level, sequence, base_sequence, created, paths, status, job_name)
      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'C', ?9) ON CONFLICT DO NOTHING RETURNING number
      """)
    defer { insert.statement.reset() }
    var paths = ScratchBuffer(capacity: 256)
    PathListCodec.append(description.paths, to: &paths)
    try insert.statement.bind(ordered(description.number), at: 1)
    try insert.statement.bind(sessionNumber(description.session), at: 2)
    try insert.statement.bind(treeNumber(making: description.tree), at: 3)
    try insert.statement.bind(description.level.rawValue, at: 4)
    try insert.statement.bind(ordered(description.sequence), at: 5)
    try insert.statement.bind(ordered(description.baseSequence), at: 6)
    try insert.statement.bind(description.created.nanoseconds, at: 7)
    try insert.statement.bind(copying: paths.bytes(0..<paths.count), at: 8)
    if let jobName { try insert.statement.bind(jobName, at: 9) } else { try insert.statement.bindNull(at: 9) }
    guard try insert.statement.step() else {
      throw CatalogError(.conflict, "another job has the session, or the tree's sequence \(description.sequence)")
    }
    return JobRecord(
      description: description, status: .created, attempt: 0, lastCommit: 0, ended: nil, counters: JobCounters(),
      jobName: jobName)
  }

  func oneJob(
    _ sql: String, _ bind: (CachedStatement) throws(CatalogError) -> Void
  ) throws(CatalogError) -> JobRow? {
    let select = try statement(sql)
    defer { select.statement.reset() }
    try bind(select)
    return try select.statement.step() ? JobRow(reading: select.statement) : nil
  }

  func manyJobs(
    _ sql: String, _ bind: (CachedStatement) throws(CatalogError) -> Void
  ) throws(CatalogError) -> [JobRecord] {
    let select = try statement(sql)
    defer { select.statement.reset() }
    try bind(select)
    var jobs: [JobRecord] = []
    while try select.statement.step() { jobs.append(try JobRow(reading: select.statement).record) }
    return jobs
  }
}
