import VaultModel

extension CatalogConnection {
  func stageCommit(
    _ commit: CommitHeader, of number: JobNumber, _ body: (any StagingTransaction) throws -> Void
  ) throws(CatalogError) {
    guard let job = try job(number: number) else {
      throw CatalogError(.notFound, "there is no job \(number)")
    }
    guard commit.number > job.record.lastCommit, !job.isDropped else { return }
    guard !job.isPublished else { throw CatalogError(.conflict, "job \(number) is published already") }
    try transaction { () throws(CatalogError) in
      for volume in commit.volumes { try recordVolume(volume) }
      if job.record.lastCommit == 0 { try chooseWhereToStage(job) }
      let staging = try SQLiteStaging(self, job: job)
      do {
        try body(staging)
      } catch {
        staging.abandon()
        throw CatalogError.fromCaller(error)
      }
      try staging.finish()
      try record(commit, of: job, nextEntry: staging.nextEntry)
    }
  }

  /// Lets the first job of a tree that has no state stage its entries in place: nobody else has rows there.
  private func chooseWhereToStage(_ job: JobRow) throws(CatalogError) {
    let choose = try statement(
      """
      UPDATE job SET in_place = 1 WHERE number = ?1 AND NOT EXISTS (
        SELECT 1 FROM job AS k
        WHERE k.tree = ?2 AND (k.in_place = 1 OR (k.status IN ('T', 'W') AND k.dropped IS NULL)))
      """)
    try choose.statement.bind(ordered(job.number), at: 1)
    try choose.statement.bind(job.tree, at: 2)
    try choose.statement.run()
    let isFirst = try number(
      """
      SELECT NOT EXISTS (SELECT 1 FROM entry_current)
        AND NOT EXISTS (SELECT 1 FROM job WHERE status IN ('T', 'W') AND dropped IS NULL)
      """)
    if isFirst == 1 {
      try execute("DROP INDEX IF EXISTS \(CatalogSchema.inodeIndexName)")
      hasInodeIndex = false
    }
  }

  /// Whether a job's entries are staged where they are to stay, in `entry_current`.
  ///
  /// A name has one row: what is no entry yet, or no longer, waits in `stage` as ever.
  func stagesInPlace(_ number: JobNumber) throws(CatalogError) -> Bool {
    let select = try statement("SELECT in_place FROM job WHERE number = ?1")
    defer { select.statement.reset() }
    try select.statement.bind(ordered(number), at: 1)
    return try select.statement.step() && select.statement.integer(0) == 1
  }

  /// A failed or canceled job stays that; any other is running.
  private func record(_ commit: CommitHeader, of job: JobRow, nextEntry: UInt64) throws(CatalogError) {
    let update = try statement(
      """
      UPDATE job SET last_commit = ?2, attempt = max(attempt, ?3), next_entry = ?4,
        status = CASE WHEN status IN ('f', 'A') THEN status ELSE 'R' END
      WHERE number = ?1
      """
    )
    try update.statement.bind(ordered(job.number), at: 1)
    try update.statement.bind(ordered(commit.number), at: 2)
    try update.statement.bind(Int64(commit.attempt), at: 3)
    try update.statement.bind(ordered(nextEntry), at: 4)
    try update.statement.run()
  }
}
