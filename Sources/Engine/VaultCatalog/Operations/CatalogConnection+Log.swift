import VaultModel

extension CatalogConnection {
  func appendLog(_ lines: [LogLine], of number: JobNumber) throws(CatalogError) {
    let job = try ordered(number)
    try transaction { () throws(CatalogError) in
      guard try hasLog(number) else { throw CatalogError(.notFound, "there is no job \(number)") }
      var last = try lastLine(of: job)
      let insert = try statement("INSERT INTO job_log(job, number, time, class, text) VALUES (?1, ?2, ?3, ?4, ?5)")
      for line in lines.lazy.map(\.bounded) {
        last += 1
        try insert.statement.bind(job, at: 1)
        try insert.statement.bind(last, at: 2)
        try insert.statement.bind(line.time.nanoseconds, at: 3)
        try insert.statement.bind(line.messageClass, at: 4)
        try insert.statement.bind(line.text, at: 5)
        try insert.statement.run()
      }
      let cut = try statement("DELETE FROM job_log WHERE job = ?1 AND number <= ?2")
      try cut.statement.bind(job, at: 1)
      try cut.statement.bind(last - LogLine.lineLimit, at: 2)
      try cut.statement.run()
    }
  }

  func readLog(of job: JobNumber, after number: UInt64, limit: Int) throws(CatalogError) -> [LogLine] {
    let select = try statement(
      "SELECT number, time, class, text FROM job_log WHERE job = ?1 AND number > ?2 ORDER BY number LIMIT ?3")
    defer { select.statement.reset() }
    try select.statement.bind(Int64(clamping: job), at: 1)
    try select.statement.bind(Int64(clamping: number), at: 2)
    try select.statement.bind(Int64(max(limit, 0)), at: 3)
    var lines: [LogLine] = []
    while try select.statement.step() { lines.append(try LogLine(reading: select.statement)) }
    return lines
  }

  private func hasLog(_ number: JobNumber) throws(CatalogError) -> Bool {
    if number == 0 { return true }
    if let job = try job(number: number) { return !job.isDropped }
    return try errand(number: number) != nil
  }

  private func lastLine(of job: Int64) throws(CatalogError) -> Int64 {
    let select = try statement("SELECT coalesce(max(number), 0) FROM job_log WHERE job = ?1")
    defer { select.statement.reset() }
    try select.statement.bind(job, at: 1)
    return try select.statement.step() ? select.statement.integer(0) : 0
  }
}

extension LogLine {
  /// The line that a row of four columns says: number, time, class, text.
  init(reading row: borrowing some CatalogRow & ~Copyable) throws(CatalogError) {
    self.init(
      number: try row.count(0), time: Timestamp(nanoseconds: try row.integer(1)), messageClass: try row.text(2),
      text: try row.text(3))
  }
}
