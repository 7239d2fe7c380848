import VaultCrypto
import VaultFileSet
import VaultModel

/// A restore that writes nothing: counts what one would do, and finds what would keep it from it.
final class RestoreTrial {
  private var examiner: RestoreExaminer
  private let fetcher: BlockFetcher
  private let report: RestoreReport
  /// Tells contents that are one hole.
  private var hasher: ContentHasher

  init(
    examiner: consuming RestoreExaminer, fetcher: BlockFetcher, report: RestoreReport, hasher: consuming ContentHasher
  ) {
    self.examiner = examiner
    self.fetcher = fetcher
    self.report = report
    self.hasher = hasher
  }

  func directories(_ batch: PlanBatch) {
    for row in batch.rows { examine(row, bytes: nil) }
    report.tick()
  }

  func contents(_ batch: PlanBatch) throws {
    let rest = batch.rows.drop { row in
      if case .stored = row.entry.content { return false }
      examine(row, bytes: nil)
      return true
    }
    let contents = try BatchContents(rows: rest, locations: batch.locations) { try hasher.isWithoutData($0) }
    try markMissing(contents)
    for item in contents.items where !item.isSettled {
      for group in item.groups {
        for (number, row) in group.rows.enumerated() { examine(row, bytes: number == 0 ? item.sealed.size : 0) }
      }
    }
    report.tick()
  }

  /// Settles contents whose volumes are not there, or of which the catalog knows no place.
  private func markMissing(_ contents: BatchContents) throws {
    var found: Set<ObjectIdentifier> = []
    for fetch in contents.fetches {
      let items: [ContentItem]
      switch fetch.purpose {
      case .whole(let wanted): items = Array(wanted.values)
      case .part(let item, _, _): items = [item]
      }
      found.formUnion(items.map(ObjectIdentifier.init))
      if let refusal = try fetcher.refusal(session: fetch.session, volume: fetch.location.volume) {
        for item in items where !item.isSettled { miss(item, refusal.description) }
      }
    }
    for item in contents.items where !item.isWithoutData && !found.contains(ObjectIdentifier(item)) {
      miss(item, contents.missing(item))
    }
  }

  private func miss(_ item: ContentItem, _ reason: String) {
    item.settle()
    report.failed(item, reason, damage: true)
  }

  private func examine(_ row: PlanBatch.Row, bytes: UInt64?) {
    do throws(FileSetError) {
      switch try examiner.examine(
        directory: row.directory, name: row.entry.name, attributes: row.entry.attributes, replacing: !row.leadsOnly)
      {
      case .restore: report.restored(row.path, [], bytes: bytes)
      case .replace:
        report.replaced()
        report.restored(row.path, [], bytes: bytes)
      case .use: break
      case .keep: report.kept(row.path)
      }
    } catch {
      report.problem(row.path, error.description)
    }
  }
}
