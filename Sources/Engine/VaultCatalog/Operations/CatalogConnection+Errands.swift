import VaultModel

extension CatalogConnection {
  func createErrand(_ request: NewErrand) throws(CatalogError) -> ErrandRecord {
    try transaction { () throws(CatalogError) in
      let next = try number(
        "SELECT max((SELECT coalesce(max(number), 0) FROM job), (SELECT last_number FROM repository))")
      guard next >= 0, next < Int64.max else { throw CatalogError(.outOfRange, "there are no job numbers left") }
      try execute("UPDATE repository SET last_number = \(next + 1)")
      let insert = try statement(
        "INSERT INTO errand(number, kind, tree, created, subject, status) VALUES (?1, ?2, ?3, ?4, ?5, 'R')")
      try insert.statement.bind(next + 1, at: 1)
      try insert.statement.bind(request.kind, at: 2)
      try insert.statement.bind(treeNumber(making: request.tree), at: 3)
      try insert.statement.bind(request.created.nanoseconds, at: 4)
      try insert.statement.bind(ordered(request.subject), at: 5)
      try insert.statement.run()
      return ErrandRecord(
        number: UInt64(next) + 1, kind: request.kind, tree: request.tree, created: request.created,
        subject: request.subject, status: .running, ended: nil, files: 0, bytes: 0, problems: 0)
    }
  }

  func endErrand(
    _ number: JobNumber, status: JobStatus, ended: Timestamp, files: UInt64, bytes: UInt64, problems: UInt64
  ) throws(CatalogError) {
    try transaction { () throws(CatalogError) in
      try ErrandRecord.checkEnd(status, of: try errand(number: number), number)
      let update = try statement(
        "UPDATE errand SET status = ?2, ended = ?3, files = ?4, bytes = ?5, problems = ?6 WHERE number = ?1")
      try update.statement.bind(ordered(number), at: 1)
      try update.statement.bind(String(status.rawValue), at: 2)
      try update.statement.bind(ended.nanoseconds, at: 3)
      try update.statement.bind(ordered(files), at: 4)
      try update.statement.bind(ordered(bytes), at: 5)
      try update.statement.bind(ordered(problems), at: 6)
      try update.statement.run()
    }
  }

  func errands(after number: JobNumber, limit: Int) throws(CatalogError) -> [ErrandRecord] {
    let select = try statement(ErrandRecord.select + " WHERE r.number > ?1 ORDER BY r.number LIMIT ?2")
    defer { select.statement.reset() }
    try select.statement.bind(Int64(clamping: number), at: 1)
    try select.statement.bind(Int64(max(limit, 0)), at: 2)
    var errands: [ErrandRecord] = []
    while try select.statement.step() { errands.append(try ErrandRecord(reading: select.statement)) }
    return errands
  }

  func errand(number: JobNumber) throws(CatalogError) -> ErrandRecord? {
    guard let number = Int64(exactly: number) else { return nil }
    let select = try statement(ErrandRecord.select + " WHERE r.number = ?1")
    defer { select.statement.reset() }
    try select.statement.bind(number, at: 1)
    return try select.statement.step() ? ErrandRecord(reading: select.statement) : nil
  }

  func abandonErrands(at now: Timestamp) throws(CatalogError) {
    try transaction { () throws(CatalogError) in
      let update = try statement("UPDATE errand SET status = 'f', ended = ?1 WHERE status = 'R'")
      try update.statement.bind(now.nanoseconds, at: 1)
      try update.statement.run()
    }
  }

  private func ordered(_ value: UInt64?) throws(CatalogError) -> Int64? {
    guard let value else { return nil }
    let number: Int64 = try ordered(value)
    return number
  }
}

extension ErrandRecord {
  /// Whether an errand may end with a status.
  static func checkEnd(_ status: JobStatus, of errand: ErrandRecord?, _ number: JobNumber) throws(CatalogError) {
    guard let errand else { throw CatalogError(.notFound, "there is no job \(number) that stores nothing") }
    guard errand.status == .running else {
      throw CatalogError(.conflict, "job \(number) is over: \(errand.status.title)")
    }
    guard !status.isContinuable else {
      throw CatalogError(.conflict, "a job does not end with the status \(status.title)")
    }
  }
}
