import VaultModel

extension CatalogConnection {
  /// Makes a job's entries visible.
  ///
  /// - Durability: the tree has its new state, and the job its status, once this returns; before, neither.
  func publish(_ number: JobNumber, outcome: JobOutcome) throws(CatalogError) {
    try createPublishingTables()
    try transaction { () throws(CatalogError) in
      let job = try existingJob(number)
      guard outcome.status.isPublished else {
        throw CatalogError(.conflict, "publishing cannot give a job the status \(outcome.status.title)")
      }
      guard job.record.status.isContinuable else {
        throw CatalogError(.conflict, "the job is over: \(job.record.status.title)")
      }
      let latest = try latestSequence(ofTree: job.tree)
      let publication = Publication(
        job: try ordered(job.number), tree: job.tree, sequence: try ordered(job.record.description.sequence),
        base: try ordered(job.record.description.baseSequence), latest: latest)
      guard publication.sequence > latest else {
        throw CatalogError(.conflict, "job \(latest) of the same tree is published already and is newer")
      }
      if latest == 0 { try publishFirst(publication) } else { try publishOver(publication) }
      try run(Publication.recordWhole, publication)
      try deleteStage(publication)
      try run(Publication.recordPlaced, publication)
      try recordOutcome(outcome, of: number)
    }
  }

  /// The tree's first published job: nothing to close. Most or all of it is in its place already; what another job staged
  /// there makes room.
  private func publishFirst(_ publication: Publication) throws(CatalogError) {
    try run(Publication.moveOtherToStage, publication)
    try run(Publication.removeOther, publication)
    try run(Publication.recordOtherMoved, publication)
    try run(Publication.insertEntries, publication)
  }

  private func publishOver(_ publication: Publication) throws(CatalogError) {
    try run(Publication.markUnchanged, publication)
    try run(Publication.closeReplaced, publication)
    try run(Publication.removeDeleted, publication)
    let isOlder = publication.base < publication.latest
    let isPartlyUnseen = try isPartlyUnseen(publication)
    if isOlder || isPartlyUnseen {
      try execute("DELETE FROM temp.kept_name; DELETE FROM temp.kept_directory; DELETE FROM temp.moved")
      try run(Publication.keepNames, publication)
      try keepDirectories(publication)
      try run(Publication.markReplaced, publication)
      try run(Publication.findBelowReplaced, publication)
      if isOlder { try run(Publication.findOutdated, publication) }
      try run(Publication.closeOutdated, publication)
      try run(Publication.removeOutdated, publication)
    }
    if isOlder, publication.base > 0 {
      try execute("DELETE FROM temp.moved")
      try run(Publication.findRevived, publication)
      try run(Publication.recordRevived, publication)
      try run(Publication.insertRevived, publication)
    }
    try run(Publication.insertEntries, publication)
  }

  private func isPartlyUnseen(_ publication: Publication) throws(CatalogError) -> Bool {
    let select = try statement(Publication.isPartlyUnseen)
    defer { select.statement.reset() }
    try select.statement.bind(publication.job, at: 1)
    return try select.statement.step() && select.statement.integer(0) != 0
  }

  /// Keeps everything below what could not be listed, examined or found.
  private func keepDirectories(_ publication: Publication) throws(CatalogError) {
    let select = try statement(Publication.unreadable)
    defer { select.statement.reset() }
    let keep = try statement(Publication.keepDirectories)
    try select.statement.bind(publication.job, at: 1)
    while try select.statement.step() {
      let parent = DirectoryKey(keyBytes: Array(select.statement.bytes(0)))
      let name = ByteString(select.statement.bytes(1))
      // The root has no name of its own.
      let range = DirectoryRange(within: name.isEmpty ? parent : parent.appending(name))
      try keep.statement.bind(publication.tree, at: 1)
      try keep.statement.bind(range.low, at: 2)
      try keep.statement.bind(range.high, at: 3)
      try keep.statement.run()
    }
  }

  /// Without another job's rows the table is emptied whole, which costs nothing per row.
  private func deleteStage(_ publication: Publication) throws(CatalogError) {
    let others = try statement(
      "SELECT EXISTS (SELECT 1 FROM stage WHERE job < ?1) OR EXISTS (SELECT 1 FROM stage WHERE job > ?1)")
    defer { others.statement.reset() }
    try others.statement.bind(publication.job, at: 1)
    let hasOthers = try others.statement.step() && others.statement.integer(0) != 0
    others.statement.reset()
    if hasOthers {
      try run(Publication.deleteStage, publication)
    } else {
      try execute("DELETE FROM stage")
    }
  }

  private func run(_ step: Publication.Step, _ publication: Publication) throws(CatalogError) {
    let prepared = try statement(step.sql)
    for (index, parameter) in step.parameters.enumerated() {
      try prepared.statement.bind(publication[keyPath: parameter], at: Int32(index) + 1)
    }
    try prepared.statement.run()
  }

  private func createPublishingTables() throws(CatalogError) {
    guard !hasTemporaryTables else { return }
    try execute(Publication.temporaryTables)
    hasTemporaryTables = true
  }
}
