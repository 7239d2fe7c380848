import VaultModel

extension PostgreSQLCatalog {
  package func appendLog(_ lines: [LogLine], of job: JobNumber) throws(CatalogError) {
    try write("writing the log of job \(job)") { connection throws(CatalogError) in
      try connection.appendLog(lines, of: job)
    }
  }

  package func readLog(of job: JobNumber, after number: UInt64, limit: Int) throws(CatalogError) -> [LogLine] {
    try read("reading the log of job \(job)") { connection throws(CatalogError) in
      try connection.readLog(of: job, after: number, limit: limit)
    }
  }

  package func createErrand(_ request: NewErrand) throws(CatalogError) -> ErrandRecord {
    try write("making a job") { connection throws(CatalogError) in try connection.createErrand(request) }
  }

  package func endErrand(
    _ number: JobNumber, status: JobStatus, ended: Timestamp, files: UInt64, bytes: UInt64, problems: UInt64
  ) throws(CatalogError) {
    try write("ending job \(number)") { connection throws(CatalogError) in
      try connection.endErrand(
        number, status: status, ended: ended, files: files, bytes: bytes, problems: problems)
    }
  }

  package func errands(after number: JobNumber, limit: Int) throws(CatalogError) -> [ErrandRecord] {
    try read("listing jobs") { connection throws(CatalogError) in
      try connection.errands(after: number, limit: limit)
    }
  }

  package func errand(number: JobNumber) throws(CatalogError) -> ErrandRecord? {
    try read("looking for job \(number)") { connection throws(CatalogError) in try connection.errand(number: number) }
  }

  package func abandonErrands(at now: Timestamp) throws(CatalogError) {
    try write("ending abandoned jobs") { connection throws(CatalogError) -> Void in
      try connection.run(
        "UPDATE errand SET status = 'f', ended = $1 WHERE status = 'R'", [.integer(now.nanoseconds)])
    }
  }

  package func recentJobs(of tree: Tree?, before number: JobNumber?, limit: Int) throws(CatalogError) -> [JobRecord] {
    try read("listing jobs") { connection throws(CatalogError) in
      try connection.recentJobs(of: tree, before: number, limit: limit)
    }
  }

  package func waitingJobs() throws(CatalogError) -> [JobRecord] {
    try read("listing jobs that wait") { connection throws(CatalogError) in
      try connection.manyJobs(JobRow.selectWaiting)
    }
  }
}
