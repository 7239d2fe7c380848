import VaultModel

extension CatalogConnection {
  /// Drops jobs and the rows that no kept job sees.
  ///
  /// - Durability: all of it happened once this returns; before, nothing.
  func dropJobs(_ numbers: [JobNumber], at now: Timestamp) throws(CatalogError) -> [JobRecord] {
    try transaction { () throws(CatalogError) in try drop(numbers, at: now) }
  }

  /// Drops jobs; part of a transaction.
  func drop(_ numbers: [JobNumber], at now: Timestamp) throws(CatalogError) -> [JobRecord] {
    var trees: [Int64: [JobRow]] = [:]
    for number in Set(numbers).sorted() {
      let job = try existingJob(number)
      trees[job.tree, default: []].append(job)
    }
    var dropped: [JobRecord] = []
    for (tree, jobs) in trees.sorted(by: { $0.key < $1.key }) { dropped += try drop(jobs, of: tree, at: now) }
    try execute("UPDATE repository SET freeing = 1")
    return dropped.sorted { $0.description.number < $1.description.number }
  }

  private func drop(_ chosen: [JobRow], of tree: Int64, at now: Timestamp) throws(CatalogError) -> [JobRecord] {
    let newest = try latestSequence(ofTree: tree)
    let jobs = chosen + (try dependents(of: chosen, tree: tree))
    for job in jobs { try markDropped(job, now) }
    let kept = try latestSequence(ofTree: tree)
    if kept < newest { try undo(tree: tree, after: kept) }
    try deleteUnseen(jobs, tree: tree)
    for job in jobs where try stagesInPlace(job.number) {
      try run(
        "DELETE FROM entry_current WHERE directory IN (SELECT id FROM directory WHERE tree = ?1) AND first = ?2", tree,
        try ordered(job.record.description.sequence))
      try run("UPDATE job SET in_place = 0 WHERE tree = ?1 AND number = ?2", tree, try ordered(job.number))
    }
    for job in jobs { try deleteStaged(job) }
    try deleteEmptyDirectories(tree: tree)
    try advanceFirstKept(tree: tree)
    return jobs.map { job in
      var record = job.record
      record.dropped = now
      return record
    }
  }

  /// Jobs that are not published and compare with one that goes: what they staged would mean nothing without it.
  private func dependents(of chosen: [JobRow], tree: Int64) throws(CatalogError) -> [JobRow] {
    let numbers = Set(chosen.map(\.number))
    let going = Set(chosen.filter(\.isPublished).map(\.record.description.sequence))
    let select = try statement(
      JobRow.select + " WHERE j.tree = ?1 AND j.dropped IS NULL AND j.status NOT IN ('T', 'W') ORDER BY j.number")
    defer { select.statement.reset() }
    try select.statement.bind(tree, at: 1)
    var dependents: [JobRow] = []
    while try select.statement.step() {
      let job = try JobRow(reading: select.statement)
      if !numbers.contains(job.number), going.contains(job.record.description.baseSequence) { dependents.append(job) }
    }
    return dependents
  }

  /// A job that no state builds on is undone: it was never published. `undo` marks those that were the newest.
  private func markDropped(_ job: JobRow, _ now: Timestamp) throws(CatalogError) {
    let update = try statement("UPDATE job SET dropped = ?2, undone = ?3 WHERE number = ?1")
    try update.statement.bind(ordered(job.number), at: 1)
    try update.statement.bind(now.nanoseconds, at: 2)
    try update.statement.bind(job.isPublished ? Int64(0) : 1, at: 3)
    try update.statement.run()
  }

  /// Takes a tree back to the state that an older job left, 0 for none.
  private func undo(tree: Int64, after kept: Int64) throws(CatalogError) {
    let ofTree = "directory IN (SELECT id FROM directory WHERE tree = ?1)"
    try run("UPDATE job SET undone = 1 WHERE tree = ?1 AND sequence > ?2 AND dropped IS NOT NULL", tree, kept)
    try run("DELETE FROM entry_current WHERE \(ofTree) AND first > ?2", tree, kept)
    try run(
      """
      INSERT INTO entry_current(directory, name, first, content_session, content_index, device, inode, attributes,
        extents, extended_session, extended_index)
      SELECT directory, name, first, content_session, content_index, device, inode, attributes, extents,
        extended_session, extended_index
      FROM entry_past INDEXED BY entry_past_last WHERE last > ?2 AND first <= ?2 AND \(ofTree)
      """, tree, kept)
    try run("DELETE FROM entry_past INDEXED BY entry_past_last WHERE last > ?2 AND \(ofTree)", tree, kept)
  }

  /// Removes the past rows that no kept job sees; only those that a dropped job saw can be such.
  private func deleteUnseen(_ jobs: [JobRow], tree: Int64) throws(CatalogError) {
    let sequences = jobs.filter(\.isPublished).map(\.record.description.sequence)
    guard let oldest = sequences.min() else { return }
    try run(
      """
      DELETE FROM entry_past INDEXED BY entry_past_last
      WHERE last > ?2 AND directory IN (SELECT id FROM directory WHERE tree = ?1)
        AND NOT EXISTS (
          SELECT 1 FROM job AS k WHERE k.tree = ?1 AND k.sequence >= entry_past.first AND k.sequence < entry_past.last
            AND k.status IN ('T', 'W') AND k.dropped IS NULL)
      """, tree, try ordered(oldest))
  }

  private func deleteStaged(_ job: JobRow) throws(CatalogError) {
    for table in ["stage", "problem", "job_log"] {
      let delete = try statement("DELETE FROM \(table) WHERE job = ?1")
      try delete.statement.bind(ordered(job.number), at: 1)
      try delete.statement.run()
    }
  }

  /// The last one stays: SQLite would give its number to another directory, and whoever remembers it would take that for this.
  private func deleteEmptyDirectories(tree: Int64) throws(CatalogError) {
    let delete = try statement(
      """
      DELETE FROM directory WHERE tree = ?1 AND id < (SELECT max(id) FROM directory)
        AND NOT EXISTS (SELECT 1 FROM entry_current AS e WHERE e.directory = directory.id)
        AND NOT EXISTS (SELECT 1 FROM entry_past AS e WHERE e.directory = directory.id)
        AND id NOT IN (SELECT directory FROM stage) AND id NOT IN (SELECT directory FROM problem)
      """)
    try delete.statement.bind(tree, at: 1)
    try delete.statement.run()
  }

  /// Notes from which job on a rebuilt catalog must replay the tree's jobs: all rows that are left came into being
  /// since, and what a differential brought back did, too; or everything that is left follows from a full that missed
  /// nothing.
  private func advanceFirstKept(tree: Int64) throws(CatalogError) {
    let ofTree = "directory IN (SELECT id FROM directory WHERE tree = ?1)"
    let select = try statement(
      """
      SELECT min(
        (SELECT coalesce(min(first), \(Int64.max)) FROM entry_current WHERE \(ofTree)),
        (SELECT coalesce(min(first), \(Int64.max)) FROM entry_past WHERE \(ofTree)),
        (SELECT coalesce(min(sequence), \(Int64.max)) FROM job WHERE tree = ?1 AND dropped IS NULL),
        (SELECT max(sequence) + 1 FROM job WHERE tree = ?1))
      """)
    defer { select.statement.reset() }
    try select.statement.bind(tree, at: 1)
    guard try select.statement.step() else { throw .corrupt("a tree has no jobs") }
    var first = select.statement.integer(0)
    let revived = try statement(
      "SELECT min(revived) FROM job WHERE tree = ?1 AND sequence >= ?2 AND status IN ('T', 'W') AND undone = 0")
    defer { revived.statement.reset() }
    while true {
      revived.statement.reset()
      try revived.statement.bind(tree, at: 1)
      try revived.statement.bind(first, at: 2)
      guard try revived.statement.step(), !revived.statement.isNull(0), revived.statement.integer(0) < first else {
        break
      }
      first = revived.statement.integer(0)
    }
    let whole = try statement(
      """
      SELECT coalesce(max(g.sequence), 0) FROM job AS g
      WHERE g.tree = ?1 AND g.whole = 1 AND g.status IN ('T', 'W') AND g.undone = 0
        AND NOT EXISTS (SELECT 1 FROM job AS k WHERE k.tree = ?1 AND k.dropped IS NULL AND k.sequence < g.sequence)
        AND NOT EXISTS (
          SELECT 1 FROM job AS k WHERE k.tree = ?1 AND k.sequence > g.sequence AND k.undone = 0
            AND k.base_sequence > 0 AND k.base_sequence < g.sequence)
      """)
    defer { whole.statement.reset() }
    try whole.statement.bind(tree, at: 1)
    if try whole.statement.step() { first = max(first, whole.statement.integer(0)) }
    try run("UPDATE tree SET first_kept = ?2 WHERE id = ?1", tree, first)
  }

  private func run(_ sql: String, _ first: Int64, _ second: Int64) throws(CatalogError) {
    let prepared = try statement(sql)
    try prepared.statement.bind(first, at: 1)
    try prepared.statement.bind(second, at: 2)
    try prepared.statement.run()
  }
}
