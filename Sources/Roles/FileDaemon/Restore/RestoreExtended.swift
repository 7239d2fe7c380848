import VaultCrypto
import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

/// The extended attributes of a restore, read from the storage daemon before a batch of the plan is worked on.
final class RestoreExtended {
  private let fetcher: BlockFetcher
  private let lists: ExtendedLists
  private let report: RestoreReport
  private var hasher: SHA256Hasher
  private let decoder: GroupDecoder

  init(fetcher: BlockFetcher, lists: ExtendedLists, report: RestoreReport) throws {
    decoder = try GroupDecoder()
    hasher = try SHA256Hasher()
    self.fetcher = fetcher
    self.lists = lists
    self.report = report
  }

  /// Forgets the lists of earlier batches when they are many, once `body` has waited until nobody works on these.
  func trim(after body: () throws -> Void) rethrows {
    guard lists.isTrimDue else { return }
    try body()
    lists.trim()
  }

  /// Reads the lists that a batch wants and that are not there yet: each group once, in order.
  func fetch(_ batch: PlanBatch) throws {
    var collector = ExtendedCollector(rows: batch.rows, locations: batch.extendedLocations, lists: lists)
    if collector.missing.isEmpty { return }
    var wanted: [BlockFetcher.Wanted] = []
    var served: [[ExtendedCollector.Fetch]] = []
    for fetch in collector.fetches {
      let block = BlockFetcher.Wanted(
        session: fetch.session, volume: fetch.location.volume, block: fetch.location.block)
      if wanted.last == block {
        served[served.count - 1].append(fetch)
      } else {
        wanted.append(block)
        served.append([fetch])
      }
    }
    try fetcher.fetch(wanted) { number, result in
      for fetch in served[number] {
        guard case .success(let group) = BlockFetcher.group(fetch.location.group, in: result) else { continue }
        let bytes = UnsafeRawBufferPointer(rebasing: group.block.used[group.range])
        do {
          let records = try decoder.records(of: GroupView(decoding: bytes))
          try collector.take(records, of: fetch.session, into: lists, &hasher)
        } catch is FormatError {
          // Whose list is missing for it is told below.
          continue
        }
      }
      report.tick()
    }
    if collector.missing.isEmpty { return }
    for row in batch.rows {
      guard let reference = row.entry.extended, collector.missing[reference.carrier] != nil else { continue }
      report.problem(row.path, "its extended attributes are missing or damaged; it has none now", damage: true)
    }
  }

  func list(of row: PlanBatch.Row) -> ByteString { lists.list(of: row, report) }
}
