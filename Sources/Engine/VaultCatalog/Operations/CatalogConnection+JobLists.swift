import VaultModel

extension CatalogConnection {
  func recentJobs(of tree: Tree?, before number: JobNumber?, limit: Int) throws(CatalogError) -> [JobRecord] {
    let end = number.map { Int64(clamping: $0) } ?? .max
    let newest = " AND j.number < ?1 ORDER BY j.number DESC LIMIT ?2"
    guard let tree else {
      return try manyJobs(JobRow.select + " WHERE j.dropped IS NULL" + newest) { statement throws(CatalogError) in
        try statement.statement.bind(end, at: 1)
        try statement.statement.bind(Int64(max(limit, 0)), at: 2)
      }
    }
    guard let ofTree = try treeNumber(tree) else { return [] }
    return try manyJobs(JobRow.select + " WHERE j.tree = ?3 AND j.dropped IS NULL" + newest) {
      statement throws(CatalogError) in
      try statement.statement.bind(end, at: 1)
      try statement.statement.bind(Int64(max(limit, 0)), at: 2)
      try statement.statement.bind(ofTree, at: 3)
    }
  }

  func waitingJobs() throws(CatalogError) -> [JobRecord] { try manyJobs(JobRow.selectWaiting) { _ in } }
}

extension JobRow {
  /// Jobs that may be continued.
  static let selectWaiting =
    select + """
       WHERE j.status IN ('C', 'R', 'I') AND j.dropped IS NULL AND NOT EXISTS (
        SELECT 1 FROM job AS p WHERE p.tree = j.tree AND p.sequence > j.sequence AND p.status IN ('T', 'W')
          AND p.dropped IS NULL)
      ORDER BY j.number
      """
}

extension CatalogConnection {
  func rebase(_ number: JobNumber, level: JobLevel, baseSequence: UInt64) throws(CatalogError) {
    try transaction { () throws(CatalogError) in
      let job = try existingJob(number)
      guard job.record.attempt == 0, let number = Int64(exactly: number), let base = Int64(exactly: baseSequence) else {
        throw CatalogError(.conflict, "job \(number) began already")
      }
      let update = try statement("UPDATE job SET level = ?2, base_sequence = ?3 WHERE number = ?1")
      try update.statement.bind(number, at: 1)
      try update.statement.bind(level.rawValue, at: 2)
      try update.statement.bind(base, at: 3)
      try update.statement.run()
    }
  }
}
