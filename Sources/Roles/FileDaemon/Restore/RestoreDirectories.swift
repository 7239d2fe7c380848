import VaultFileSet
import VaultModel

/// The directories of a restore: made before anything else, given their attributes when everything is in them.
final class RestoreDirectories {
  private var writer: RestoreWriter
  private let extended: RestoreExtended
  private let report: RestoreReport
  /// A bit for each directory in the order of the plan: whether its attributes are to be set.
  private var isToBeFinished: [UInt64] = []
  /// The directories whose attributes are to be set, as long as they are few and no extended attributes come with the plan's last
  /// pass: then nobody needs that.
  private var known: [PlanBatch.Row]? = []
  /// How many bytes those may take still: room for some 16,000 with paths as usual.
  private var knownRoom = 8 << 20
  private var createdCount = 0
  private var finishedCount = 0

  init(writer: consuming RestoreWriter, extended: RestoreExtended, report: RestoreReport) {
    self.writer = writer
    self.extended = extended
    self.report = report
  }

  func create(_ batch: PlanBatch) {
    for row in batch.rows {
      if createdCount & 63 == 0 { isToBeFinished.append(0) }
      if create(row) {
        isToBeFinished[createdCount >> 6] |= 1 << UInt64(createdCount & 63)
        remember(row)
      }
      createdCount += 1
    }
    report.tick()
  }

  private func remember(_ row: PlanBatch.Row) {
    guard known != nil else { return }
    knownRoom -= MemoryLayout<PlanBatch.Row>.stride + row.saved.count + row.directory.count + row.entry.name.count
    if knownRoom < 0 || row.entry.extended != nil { known = nil } else { known?.append(row) }
  }

  /// Gives all directories their attributes, if they are known without the plan's last pass; false when it is needed.
  ///
  /// - Parameter share: has several threads do it.
  func finishKnown(_ share: ([PlanBatch.Row]) throws -> Void) rethrows -> Bool {
    guard let known else { return false }
    // One that does not let its owner through is opened for a moment for those in it, and where paths lose components several may
    // be one: that is one thread's at a time.
    if known.allSatisfy({ $0.entry.attributes.mode & 0o100 != 0 && $0.directory == $0.saved }) {
      try share(known)
    } else {
      for row in known { finish(row) }
    }
    report.tick()
    return true
  }

  /// Makes a directory, and says whether it gets the saved attributes at the end.
  private func create(_ row: PlanBatch.Row) -> Bool {
    do throws(FileSetError) {
      switch try writer.createDirectory(
        row.landing, attributes: row.entry.attributes, replacing: !row.leadsOnly)
      {
      case .made: return true
      case .used(let isReplaced): return isReplaced
      case .kept:
        report.kept(row.path)
        return false
      }
    } catch {
      report.problem(row.path, error.description)
      return false
    }
  }

  func finish(_ batch: PlanBatch) throws {
    var batch = batch
    batch.rows.removeAll { _ in
      defer { finishedCount += 1 }
      // The plan of the last pass is that of the first.
      return finishedCount >= createdCount
        || isToBeFinished[finishedCount >> 6] & (1 << UInt64(finishedCount & 63)) == 0
    }
    // All contents are done: only this thread needs lists any more.
    extended.trim {}
    try extended.fetch(batch)
    for row in batch.rows { finish(row) }
    report.tick()
  }

  private func finish(_ row: PlanBatch.Row) {
    let list = extended.list(of: row)
    do throws(FileSetError) {
      let unset = try writer.finishDirectory(row.landing, attributes: row.entry.attributes, extended: list)
      report.restored(row.path, unset)
    } catch {
      report.problem(row.path, error.description)
    }
  }
}
