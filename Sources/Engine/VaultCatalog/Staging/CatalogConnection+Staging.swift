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
