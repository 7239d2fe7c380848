import VaultModel

extension PostgreSQLConnection {
  /// Makes a job's entries visible; part of a transaction.
  func publish(_ number: JobNumber, outcome: JobOutcome) throws(CatalogError) {
    guard let found = try job(number: number) else { throw CatalogError(.notFound, "there is no job \(number)") }
    try run("SELECT 1 FROM tree WHERE id = $1 FOR UPDATE", [.integer(found.tree)])
    let job = try lockedJob(number)
    guard outcome.status.isPublished else {
      throw CatalogError(.conflict, "publishing cannot give a job the status \(outcome.status.title)")
    }
    guard job.record.status.isContinuable else {
      throw CatalogError(.conflict, "the job is over: \(job.record.status.title)")
    }
    let latest = try latestSequence(ofTree: job.tree)
    let publication = ServerPublication(
      job: try ordered(job.number), tree: job.tree, sequence: try ordered(job.record.description.sequence),
      base: try ordered(job.record.description.baseSequence), latest: latest)
    guard publication.sequence > latest else {
      throw CatalogError(.conflict, "job \(latest) of the same tree is published already and is newer")
    }
    if latest > 0 { try closeAndReopen(publication) } else { try makeRoom(for: publication) }
    try run(ServerPublication.insertEntries, publication)
    try run(ServerPublication.recordWhole, publication)
    try run(ServerPublication.deleteStage, publication)
    try run("UPDATE job SET in_place = 0 WHERE number = $1", [.integer(publication.job)])
    try recordOutcome(outcome, of: number)
  }

  /// Moves what another job of the tree staged in place to where such rows wait.
  private func makeRoom(for publication: ServerPublication) throws(CatalogError) {
    let other = try number(
      "SELECT number FROM job WHERE tree = $1 AND in_place = 1 AND number <> $2",
      [.integer(publication.tree), .integer(publication.job)])
    guard let other else { return }
    try run(ServerPublication.moveToStage, [.integer(other), .integer(publication.tree)])
    try run("DELETE FROM entry_current WHERE tree = $1", [.integer(publication.tree)])
    try run("UPDATE job SET in_place = 0 WHERE number = $1", [.integer(other)])
  }

  /// Ends the rows that the job replaces or did not see, and brings back what a differential's base saw.
  private func closeAndReopen(_ publication: ServerPublication) throws(CatalogError) {
    try run(ServerPublication.markUnchanged, publication)
    try run(ServerPublication.closeReplaced, publication)
    let isOlder = publication.base < publication.latest
    let isPartlyUnseen = try isPartlyUnseen(publication)
    guard isOlder || isPartlyUnseen else { return }
    try execute(ServerPublication.temporaryTables)
    try run(ServerPublication.keepNames, publication)
    try keepDirectories(publication)
    try execute("ANALYZE pg_temp.kept_name, pg_temp.kept_directory")
    try run(ServerPublication.markReplaced, [.integer(publication.job), .integer(publication.tree)])
    try run(ServerPublication.closeBelowReplaced, publication)
    guard isOlder else { return }
    try run(ServerPublication.closeOutdated, publication)
    if publication.base > 0 {
      try run(ServerPublication.findRevived, publication)
      try run(ServerPublication.recordRevived, publication)
      try run(ServerPublication.insertRevived, publication)
    }
  }

  private func isPartlyUnseen(_ publication: ServerPublication) throws(CatalogError) -> Bool {
    try number(ServerPublication.isPartlyUnseen, [.integer(publication.job)]) ?? 0 > 0
  }

  /// Keeps everything below what could not be listed, examined or found.
  private func keepDirectories(_ publication: ServerPublication) throws(CatalogError) {
    var rows = try query(ServerPublication.unreadable, [.integer(publication.job)])
    while rows.step() {
      let parent = DirectoryKey(keyBytes: Array(try rows.bytes(0)))
      let name = ByteString(try rows.bytes(1))
      // The root has no name of its own.
      let range = DirectoryRange(within: name.isEmpty ? parent : parent.appending(name))
      try run(
        ServerPublication.keepDirectories, [.integer(publication.tree), .bytes(range.low), .bytes(range.high)])
    }
  }

  private func run(_ sql: String, _ publication: ServerPublication) throws(CatalogError) {
    try run(
      sql,
      [
        .integer(publication.job), .integer(publication.tree), .integer(publication.sequence),
        .integer(publication.base),
      ])
  }
}

extension PostgreSQLCatalog {
  package func publish(_ job: JobNumber, outcome: JobOutcome) throws(CatalogError) {
    try write("publishing job \(job)") { connection throws(CatalogError) in
      try connection.publish(job, outcome: outcome)
    }
  }
}
