import VaultModel

extension PostgreSQLCatalog {
  package func trees() throws(CatalogError) -> [TreeRecord] {
    try read("listing trees") { connection throws(CatalogError) in try connection.trees() }
  }

  package func sessions(of tree: Tree) throws(CatalogError) -> [UniqueIdentifier] {
    try read("listing sessions") { connection throws(CatalogError) in try connection.sessions(of: tree) }
  }

  package func createJob(_ request: NewJob) throws(CatalogError) -> JobRecord {
    try write("making a job") { connection throws(CatalogError) in try connection.createJob(request) }
  }

  package func adoptJob(_ description: JobDescription) throws(CatalogError) -> JobRecord {
    try write("adopting job \(description.number)") { connection throws(CatalogError) in
      try connection.adoptJob(description)
    }
  }

  package func job(number: JobNumber) throws(CatalogError) -> JobRecord? {
    try read("looking for job \(number)") { connection throws(CatalogError) in
      try connection.job(number: number).flatMap { $0.isDropped ? nil : $0.record }
    }
  }

  package func job(session: UniqueIdentifier) throws(CatalogError) -> JobRecord? {
    try read("looking for session \(session)") { connection throws(CatalogError) in
      try connection.job(session: session).flatMap { $0.isDropped ? nil : $0.record }
    }
  }

  package func jobs(of tree: Tree?) throws(CatalogError) -> [JobRecord] {
    try read("listing jobs") { connection throws(CatalogError) in try connection.jobs(of: tree) }
  }

  package func interruptedJob(of tree: Tree) throws(CatalogError) -> JobRecord? {
    try read("looking for an interrupted job") { connection throws(CatalogError) in
      try connection.interruptedJob(of: tree)
    }
  }

  package func latestPublishedJob(
    of tree: Tree, fullOnly: Bool, endedBy: Timestamp?
  ) throws(CatalogError) -> JobRecord? {
    try read("looking for the latest job") { connection throws(CatalogError) in
      try connection.latestPublishedJob(of: tree, fullOnly: fullOnly, endedBy: endedBy)
    }
  }

  package func startAttempt(_ attempt: UInt32, of job: JobNumber) throws(CatalogError) {
    try write("starting attempt \(attempt) of job \(job)") { connection throws(CatalogError) in
      try connection.startAttempt(attempt, of: job)
    }
  }

  package func rebase(_ job: JobNumber, level: JobLevel, baseSequence: UInt64) throws(CatalogError) {
    try write("deciding what job \(job) compares with") { connection throws(CatalogError) in
      try connection.rebase(job, level: level, baseSequence: baseSequence)
    }
  }

  package func endJob(_ job: JobNumber, outcome: JobOutcome) throws(CatalogError) {
    try write("ending job \(job)") { connection throws(CatalogError) in
      try connection.endJob(job, outcome: outcome)
    }
  }

  package func problems(
    of job: JobNumber, after number: UInt64, limit: Int
  ) throws(CatalogError) -> [FileProblem] {
    try read("listing the problems of job \(job)") { connection throws(CatalogError) in
      try connection.problems(of: job, after: number, limit: limit)
    }
  }
}
