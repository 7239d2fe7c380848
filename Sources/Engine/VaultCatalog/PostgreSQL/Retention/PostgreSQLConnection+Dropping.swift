import VaultModel

extension PostgreSQLConnection {
  /// Drops jobs and the rows that no kept job sees, and notes that volumes may be free; part of a transaction.
  func dropJobs(_ numbers: [JobNumber], at now: Timestamp) throws(CatalogError) -> [JobRecord] {
    let dropped = try drop(numbers, at: now)
    try execute("UPDATE repository SET freeing = 1")
    return dropped
  }

  /// Drops jobs and the rows that no kept job sees; part of a transaction.
  func drop(_ numbers: [JobNumber], at now: Timestamp) throws(CatalogError) -> [JobRecord] {
    var trees: [Int64: [JobRow]] = [:]
    for number in Set(numbers).sorted() {
      let job = try existingJob(number)
      trees[job.tree, default: []].append(job)
    }
    var dropped: [JobRecord] = []
    for (tree, jobs) in trees.sorted(by: { $0.key < $1.key }) {
      // Stagings and publications of the tree are over, and the jobs are as they leave them.
      try run("SELECT 1 FROM tree WHERE id = $1 FOR UPDATE", [.integer(tree)])
      var chosen: [JobRow] = []
      for job in jobs { chosen.append(try lockedJob(job.number)) }
      dropped += try drop(chosen, of: tree, at: now)
    }
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
      try run("DELETE FROM entry_current WHERE tree = $1", [.integer(tree)])
      try run("UPDATE job SET in_place = 0 WHERE number = $1", [.integer(ordered(job.number))])
    }
    for job in jobs {
      for table in ["stage", "problem", "job_log"] {
        try run("DELETE FROM \(table) WHERE job = $1", [.integer(ordered(job.number))])
      }
    }
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
    var rows = try query(
      JobRow.select
        + " WHERE j.tree = $1 AND j.dropped IS NULL AND j.status NOT IN ('T', 'W') ORDER BY j.number FOR UPDATE OF j",
      [.integer(tree)])
    var dependents: [JobRow] = []
    while rows.step() {
      let job = try JobRow(reading: rows)
      if !numbers.contains(job.number), going.contains(job.record.description.baseSequence) { dependents.append(job) }
    }
    return dependents
  }

  /// A job that no state builds on is undone: it was never published. `undo` marks those that were the newest.
  private func markDropped(_ job: JobRow, _ now: Timestamp) throws(CatalogError) {
    try run(
      "UPDATE job SET dropped = $2, undone = $3 WHERE number = $1",
      [.integer(ordered(job.number)), .integer(now.nanoseconds), .integer(job.isPublished ? 0 : 1)])
  }

  /// Takes a tree back to the state that an older job left, 0 for none.
  private func undo(tree: Int64, after kept: Int64) throws(CatalogError) {
    let values: [ServerValue] = [.integer(tree), .integer(kept)]
    let columns = """
      tree, directory, name, first, content_session, content_index, device, inode, attributes, extents,
        extended_session, extended_index
      """
    try run("UPDATE job SET undone = 1 WHERE tree = $1 AND sequence > $2 AND dropped IS NOT NULL", values)
    try run("DELETE FROM entry_current WHERE tree = $1 AND first > $2", values)
    try run(
      """
      INSERT INTO entry_current(\(columns)) SELECT \(columns) FROM entry_past
      WHERE tree = $1 AND last > $2 AND first <= $2
      """, values)
    try run("DELETE FROM entry_past WHERE tree = $1 AND last > $2", values)
  }

  /// Removes the past rows that no kept job sees; only those that a dropped job saw can be such.
  private func deleteUnseen(_ jobs: [JobRow], tree: Int64) throws(CatalogError) {
    let sequences = jobs.filter(\.isPublished).map(\.record.description.sequence)
    guard let oldest = sequences.min() else { return }
    try run(
      """
      DELETE FROM entry_past AS e WHERE e.tree = $1 AND e.last > $2 AND NOT EXISTS (
        SELECT 1 FROM job AS k WHERE k.tree = $1 AND k.sequence >= e.first AND k.sequence < e.last
          AND k.status IN ('T', 'W') AND k.dropped IS NULL)
      """, [.integer(tree), .integer(ordered(oldest))])
  }

  private func deleteEmptyDirectories(tree: Int64) throws(CatalogError) {
    try run(
      """
      DELETE FROM directory AS d WHERE d.tree = $1
        AND NOT EXISTS (SELECT 1 FROM entry_current AS e WHERE e.tree = $1 AND e.directory = d.id)
        AND NOT EXISTS (SELECT 1 FROM entry_past AS e WHERE e.tree = $1 AND e.directory = d.id)
        AND d.id NOT IN (SELECT s.directory FROM stage AS s JOIN job AS j ON j.number = s.job WHERE j.tree = $1)
        AND d.id NOT IN (SELECT p.directory FROM problem AS p JOIN job AS j ON j.number = p.job WHERE j.tree = $1)
      """, [.integer(tree)])
  }

  /// Notes from which job on a rebuilt catalog must replay the tree's jobs: all rows that are left came into being
  /// since, and what a differential brought back did, too; or everything that is left follows from a full that missed
  /// nothing.
  private func advanceFirstKept(tree: Int64) throws(CatalogError) {
    let ofTree: [ServerValue] = [.integer(tree)]
    let least = try number(
      """
      SELECT least((SELECT min(first) FROM entry_current WHERE tree = $1),
        (SELECT min(first) FROM entry_past WHERE tree = $1),
        (SELECT min(sequence) FROM job WHERE tree = $1 AND dropped IS NULL),
        (SELECT max(sequence) + 1 FROM job WHERE tree = $1))
      """, ofTree)
    guard var first = least else { throw .corrupt("a tree has no jobs") }
    while true {
      let revived = try number(
        """
        SELECT min(revived) FROM job WHERE tree = $1 AND sequence >= $2 AND status IN ('T', 'W') AND undone = 0
        """, [.integer(tree), .integer(first)])
      guard let revived, revived < first else { break }
      first = revived
    }
    let whole = try number(
      """
      SELECT max(g.sequence) FROM job AS g
      WHERE g.tree = $1 AND g.whole = 1 AND g.status IN ('T', 'W') AND g.undone = 0
        AND NOT EXISTS (SELECT 1 FROM job AS k WHERE k.tree = $1 AND k.dropped IS NULL AND k.sequence < g.sequence)
        AND NOT EXISTS (
          SELECT 1 FROM job AS k WHERE k.tree = $1 AND k.sequence > g.sequence AND k.undone = 0
            AND k.base_sequence > 0 AND k.base_sequence < g.sequence)
      """, ofTree)
    try run(
      "UPDATE tree SET first_kept = $2 WHERE id = $1", [.integer(tree), .integer(max(first, whole ?? 0))])
  }
}
