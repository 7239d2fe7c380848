import VaultCrypto
import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

/// The restore's main thread while entries come that are no directories: takes the plan and hands out the work.
///
/// While the workers are at the end of one batch, the next one is fetched: they do not wait for a batch to be done. More batches
/// are known by then, so that their files are made ahead of their data.
final class RestoreContents {
  /// Batches that are known when one is handed out, where files are made ahead.
  private static let knownLimit = 2
  /// What is known wants no more groups: nothing is gained of large contents, which have one for each MiB.
  private static let knownFetchLimit = 8192
  private static let directoriesPerItem = 256

  private let fetcher: BlockFetcher
  /// Nil where the selection is one file's content.
  private let others: RestoreOthers?
  private let report: RestoreReport
  private let queue: RestoreQueue
  /// Nil where nothing is written, or not to a directory.
  private let ahead: FilesAhead?
  /// Tells contents that are one hole.
  private var hasher: ContentHasher
  /// Batches that are to be handed out.
  private var known: [BatchContents] = []
  /// The number of the batch that is handed out.
  private var number: UInt64 = 0
  /// The batch before, which the workers may still be at.
  private var previous: (number: UInt64, contents: BatchContents)?

  init(
    fetcher: BlockFetcher, others: RestoreOthers?, report: RestoreReport, queue: RestoreQueue,
    ahead: FilesAhead? = nil, hasher: consuming ContentHasher
  ) {
    self.ahead = ahead
    self.fetcher = fetcher
    self.others = others
    self.report = report
    self.queue = queue
    self.hasher = hasher
  }

  func restore(_ batch: PlanBatch) throws {
    try others?.extended.trim { try finish() }
    try others?.extended.fetch(batch)
    let rest = batch.rows.drop { row in
      if case .stored = row.entry.content { return false }
      others?.create(row)
      return true
    }
    let contents = try BatchContents(rows: rest, locations: batch.locations) { try hasher.isWithoutData($0) }
    ahead?.add(contents.items)
    known.append(contents)
    while isEnoughKnown { try handOutNext() }
  }

  private var isEnoughKnown: Bool {
    let limit = ahead?.isAtWork == true ? Self.knownLimit : 0
    return known.count > limit || known.reduce(0) { $0 + $1.fetches.count } > Self.knownFetchLimit
  }

  /// Hands out what is known, and waits until all of it is done.
  func finish() throws {
    while !known.isEmpty { try handOutNext() }
    try finishPrevious()
  }

  private func handOutNext() throws {
    let contents = known.removeFirst()
    number += 1
    do { try handOut(contents) } catch {
      // What is missing of the batch before is still told, as far as somebody hears it.
      try? finishPrevious()
      throw error
    }
    try finishPrevious()
    previous = (number, contents.handedOut)
    report.tick()
  }

  /// Waits until the batch before is done, and tells what of it nobody could do.
  private func finishPrevious() throws {
    guard let (number, contents) = previous.take() else { return }
    try queue.wait(for: number)
    for item in contents.items where !item.isSettled {
      item.settle()
      report.failed(item, contents.missing(item), damage: true)
    }
  }

  /// Has the workers give directories their attributes, and waits until they have.
  func finish(_ directories: [PlanBatch.Row]) throws {
    number += 1
    for start in stride(from: 0, to: directories.count, by: Self.directoriesPerItem) {
      let end = min(start + Self.directoriesPerItem, directories.count)
      try queue.push(.directories(Array(directories[start..<end])), of: number)
    }
    try queue.wait(for: number)
  }

  private func handOut(_ contents: BatchContents) throws {
    let withoutData = contents.withoutData
    if !withoutData.isEmpty { try queue.push(.withoutData(withoutData), of: number) }
    let fetches = contents.fetches
    var wanted: [BlockFetcher.Wanted] = []
    // The fetches that each block serves: several groups share a block.
    var served: [Range<Int>] = []
    for (index, fetch) in fetches.enumerated() {
      let block = BlockFetcher.Wanted(
        session: fetch.session, volume: fetch.location.volume, block: fetch.location.block)
      if wanted.last == block {
        served[served.count - 1] = served[served.count - 1].lowerBound..<(index + 1)
      } else {
        wanted.append(block)
        served.append(index..<(index + 1))
      }
    }
    var parts: BoundedQueue<FetchedGroup>?
    defer { parts?.finish() }
    try fetcher.fetch(wanted) { number, result in
      for fetch in fetches[served[number]] { try hand(fetch, result, &parts) }
    }
  }

  /// Hands one fetched group to the workers; a block that could not be read costs the contents in it.
  private func hand(
    _ fetch: BatchContents.Fetch, _ block: Swift.Result<PooledBuffer, PeerRefusal>,
    _ parts: inout BoundedQueue<FetchedGroup>?
  ) throws {
    switch (fetch.purpose, BlockFetcher.group(fetch.location.group, in: block)) {
    case (.whole(let items), .success(let group)): try queue.push(.group(group, items), of: number)
    case (.whole(let items), .failure(let refusal)):
      for item in items.values { refuse(item, refusal) }
    case (.part(let item, let isFirst, let isLast), let group):
      if isFirst {
        let queue = BoundedQueue<FetchedGroup>(capacity: 8)
        parts = queue
        try self.queue.push(.large(item, queue), of: number)
      }
      switch group {
      case .success(let group): _ = parts?.push(group)
      case .failure(let refusal):
        // Settled before the worker sees the end: it drops what it has.
        refuse(item, refusal)
        parts?.finish()
      }
      if isLast {
        parts?.finish()
        parts = nil
      }
    }
  }

  private func refuse(_ item: ContentItem, _ refusal: PeerRefusal) {
    guard !item.isSettled else { return }
    item.settle()
    // Whatever the reason, stored data is not there to be read.
    report.failed(item, refusal.description, damage: true)
  }
}
