import VaultModel

extension PostgreSQLCatalog {
  package func stageCommit(
    _ commit: CommitHeader, of number: JobNumber, _ body: (any StagingTransaction) throws -> Void
  ) throws(CatalogError) {
    let activity = "staging commit \(commit.number) of job \(number)"
    let job = try read(activity) { connection throws(CatalogError) in try connection.stageable(commit, number) }
    guard let job else { return }
    let staging = PostgreSQLStaging(job: job)
    do {
      try body(staging)
      try staging.finish()
    } catch {
      staging.abandon()
      throw CatalogError.fromCaller(error).located(activity: activity, path: place, isOnServer: true)
    }
    try write(activity) { connection throws(CatalogError) in
      // Until here others may have dropped the job, or staged the same commit. A job's first commit decides for the whole
      // tree which job stages in place.
      let strength = job.record.lastCommit == 0 ? "UPDATE" : "SHARE"
      try connection.run("SELECT 1 FROM tree WHERE id = $1 FOR \(strength)", [.integer(job.tree)])
      try connection.run("SELECT 1 FROM job WHERE number = $1 FOR UPDATE", [.integer(connection.ordered(number))])
      guard let present = try connection.stageable(commit, number) else { return }
      try connection.apply(staging, commit, of: present)
    }
  }

  package func resumePoint(of job: JobNumber) throws(CatalogError) -> ResumePoint {
    try read("finding where job \(job) goes on") { connection throws(CatalogError) in
      try connection.resumePoint(of: job)
    }
  }

  package func stagedContents(
    of number: JobNumber, _ questions: [InodeQuestion]
  ) throws(CatalogError) -> [ContentReference?] {
    let activity = "looking for staged contents"
    if waiting.withLock({ !$0.indexedStages.contains(number) }) {
      try write(activity) { connection throws(CatalogError) in try connection.indexStage(of: number) }
      waiting.withLock { _ = $0.indexedStages.insert(number) }
    }
    return try read(activity) { connection throws(CatalogError) in
      try connection.stagedContents(of: number, questions)
    }
  }
}

extension PostgreSQLConnection {
  /// The job if a commit is new to it; nil when the commit is to be ignored.
  fileprivate func stageable(_ commit: CommitHeader, _ number: JobNumber) throws(CatalogError) -> JobRow? {
    guard let job = try job(number: number) else { throw CatalogError(.notFound, "there is no job \(number)") }
    guard commit.number > job.record.lastCommit, !job.isDropped else { return nil }
    guard !job.isPublished else { throw CatalogError(.conflict, "job \(number) is published already") }
    return job
  }
}
