import VaultCrypto
import VaultFileSet
import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

/// A restore on the file daemon's side: directories, then contents by several threads, then directories' attributes.
///
/// Without a destination it is a verification: contents are read and their digests compared, and nothing is written.
struct RestoreJob: Sendable {
  let daemon: FileDaemon
  /// The one-time name under which the storage daemon lets it read.
  let restore: UniqueIdentifier
  let destination: RestoreOrder?
  let director: Channel

  /// Runs to the end and says how it went.
  func run() async -> Reply {
    do {
      let storage = try await daemon.dialStorage()
      defer { storage.close() }
      return try await onThread(name: "vault-restore") { try runThreads(storage) }
    } catch let error as any DescribedError {
      return Reply(.fileDaemonFailed, refusing: error)
    } catch {
      return Reply(.fileDaemonFailed, refusing: FileDaemonError(reason: "\(error)"))
    }
  }

  private func runThreads(_ storage: Channel) throws -> Reply {
    let target = try destination.map { try RestoreTarget(path: $0.target, policy: $0.policy) }
    let report = RestoreReport(director: director, clock: daemon.clock, isVerification: target == nil)
    let queue = RestoreQueue(capacity: 2 * daemon.workerCount)
    let crew = WorkerCrew()
    defer {
      queue.finish()
      crew.join()
    }
    let lists = ExtendedLists()
    let seed = UInt64.random(in: 0...UInt64.max)
    for number in 1...daemon.workerCount {
      try crew.start(name: "vault-write-\(number)") {
        do {
          var worker = try RestoreWorker(
            report: report, target: target, lists: lists, randomSeed: seed &+ UInt64(number) &* 0x1_0000_0001)
          worker.run(queue)
        } catch {
          queue.fail(error)
        }
      }
    }
    let run = RestoreRun(
      plan: RestorePlan(director: director, owners: OwnerNumbers(isNumeric: destination?.usesNumericOwners ?? true)),
      fetcher: BlockFetcher(
        channel: storage, restore: restore,
        buffers: BufferPool(bufferSize: 1 << 20, limit: 8 + 6 * daemon.workerCount)),
      writer: target.map { RestoreWriter(target: $0, randomSeed: seed) }, report: report, queue: queue, lists: lists,
      hasher: try SHA256Hasher(), contentHasher: try ContentHasher())
    if target == nil { try run.verify() } else { try run.run() }
    report.tellUnset()
    return report.reply()
  }
}

/// The restore's main thread: takes the plan and hands out the work.
final class RestoreRun {
  private var plan: RestorePlan
  private var fetcher: BlockFetcher
  /// Missing when nothing is to be written.
  private var writer: RestoreWriter?
  private let report: RestoreReport
  private let queue: RestoreQueue
  private let lists: ExtendedLists
  private var hasher: SHA256Hasher
  /// Tells contents that are one hole.
  private var contentHasher: ContentHasher
  private let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: GroupLimits.rawLimit, alignment: 16)
  /// The last link, pipe, socket or device with several names: the others come behind it.
  private var lastOther: (row: PlanBatch.Row, file: RestoredFile)?

  init(
    plan: consuming RestorePlan, fetcher: consuming BlockFetcher, writer: consuming RestoreWriter?,
    report: RestoreReport, queue: RestoreQueue, lists: ExtendedLists, hasher: consuming SHA256Hasher,
    contentHasher: consuming ContentHasher
  ) {
    self.plan = plan
    self.fetcher = fetcher
    self.writer = writer
    self.report = report
    self.queue = queue
    self.lists = lists
    self.hasher = hasher
    self.contentHasher = contentHasher
  }

  deinit { scratch.deallocate() }

  func run() throws {
    try plan.forEachBatch(ofPass: 1) { batch in
      for row in batch.rows { createDirectory(row) }
      report.tick()
    }
    try plan.forEachBatch(ofPass: 2) { batch in
      try fetchExtended(batch)
      let rest = batch.rows.drop { row in
        if case .stored = row.entry.content { return false }
        createOther(row)
        return true
      }
      try restore(rest, batch.locations)
      report.tick()
    }
    // Every entry of a directory is in place: its times stay now.
    try plan.forEachBatch(ofPass: 3) { batch in
      try fetchExtended(batch)
      for row in batch.rows { finishDirectory(row) }
      report.tick()
    }
  }

  /// Reads every content of the plan and compares its digest.
  func verify() throws {
    try plan.forEachBatch(ofPass: 2) { batch in
      try restore(batch.rows, batch.locations)
      report.tick()
    }
  }

  // MARK: Without content

  private func createDirectory(_ row: PlanBatch.Row) {
    do throws(FileSetError) {
      if try writer?.createDirectory(row.path, attributes: row.entry.attributes) == .exists {
        report.problem(row.path, RestoreWords.exists)
      }
    } catch {
      report.problem(row.path, error.description)
    }
  }

  private func finishDirectory(_ row: PlanBatch.Row) {
    let list = extended(of: row)
    do throws(FileSetError) {
      if let unset = try writer?.finishDirectory(row.path, attributes: row.entry.attributes, extended: list) {
        report.restored(row.path, unset)
      }
    } catch {
      report.problem(row.path, error.description)
    }
  }

  private func createOther(_ row: PlanBatch.Row) {
    let entry = row.entry
    do throws(FileSetError) {
      if let lastOther, row.isLink(of: lastOther.row) {
        let outcome = try writer?.createHardLink(
          directory: row.directory, name: entry.name, to: lastOther.file, modified: entry.attributes.modified)
        return outcome == .exists ? report.problem(row.path, RestoreWords.exists) : report.restored(row.path, [])
      }
      let list = extended(of: row)
      guard
        let outcome =
          entry.attributes.type == .symbolicLink
          ? try writer?.createSymbolicLink(
            directory: row.directory, name: entry.name, target: entry.linkTarget, attributes: entry.attributes,
            extended: list)
          : try writer?.createNode(
            directory: row.directory, name: entry.name, attributes: entry.attributes, extended: list)
      else { return }
      switch outcome {
      case .written(let unset):
        report.restored(row.path, unset)
        if row.isHardLinked, let made = try writer?.made(directory: row.directory, name: entry.name) {
          lastOther = (row, made)
        }
      case .exists: report.problem(row.path, RestoreWords.exists)
      }
    } catch {
      report.problem(row.path, error.description)
    }
  }

  // MARK: Extended attributes

  /// Reads the lists that a batch wants and that are not there yet: each group once, in order.
  private func fetchExtended(_ batch: PlanBatch) throws {
    // Nobody works on the batch before any more.
    lists.trim()
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
        guard case .success(let group) = Self.group(fetch.location.group, in: result) else { continue }
        let bytes = UnsafeRawBufferPointer(rebasing: group.block.used[group.range])
        do {
          let records = try GroupView(decoding: bytes).records(using: scratch)
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

  private func extended(of row: PlanBatch.Row) -> ByteString {
    do throws(SystemError) { return try lists.list(row.entry.extended) } catch {
      report.problem(row.path, error.description)
      return ""
    }
  }

  // MARK: Contents

  private func restore(
    _ rows: some Sequence<PlanBatch.Row>, _ locations: [PlanBatch.SessionLocations]
  ) throws {
    let contents = try BatchContents(rows: rows, locations: locations) { try contentHasher.isWithoutData($0) }
    let withoutData = contents.withoutData
    if !withoutData.isEmpty { try queue.push(.withoutData(withoutData)) }
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
    parts?.finish()
    parts = nil
    try queue.waitForAll()
    for item in contents.items where !item.isSettled {
      report.failed(item, Self.missing(item, contents), damage: true)
    }
  }

  /// Hands one fetched group to the workers; a block that could not be read costs the contents in it.
  private func hand(
    _ fetch: BatchContents.Fetch, _ block: Swift.Result<PooledBuffer, PeerRefusal>,
    _ parts: inout BoundedQueue<FetchedGroup>?
  ) throws {
    switch (fetch.purpose, Self.group(fetch.location.group, in: block)) {
    case (.whole(let items), .success(let group)): try queue.push(.group(group, items))
    case (.whole(let items), .failure(let refusal)):
      for item in items.values { refuse(item, refusal) }
    case (.part(let item, let isFirst, let isLast), let group):
      if isFirst {
        let queue = BoundedQueue<FetchedGroup>(capacity: 4)
        parts = queue
        try self.queue.push(.large(item, queue))
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

  /// Why a content that nobody asked the storage daemon for is missing.
  private static func missing(_ item: ContentItem, _ contents: BatchContents) -> String {
    contents.knows(item.identifier.session)
      ? "its data is missing"
      : "its data is missing: it lies in session \(item.identifier.session), of which no volume here is known"
  }

  /// Where a group lies in a block's payload.
  private static func group(
    _ number: UInt64, in block: Swift.Result<PooledBuffer, PeerRefusal>
  ) -> Swift.Result<FetchedGroup, PeerRefusal> {
    block.flatMap { buffer in
      var offset = 0
      while offset < buffer.count {
        let rest = UnsafeRawBufferPointer(rebasing: buffer.used[offset...])
        guard let header = try? GroupHeader(decoding: rest), header.totalByteCount <= rest.count else { break }
        if header.number == number, header.kind != .commit {
          return .success(FetchedGroup(block: buffer, range: offset..<(offset + header.totalByteCount)))
        }
        offset += header.totalByteCount
      }
      var reply = Reply(.storageRefused)
      reply.line.set("status", ExitStatus.damaged.rawValue)
      reply.line.set("reason", "The block does not hold group \(number) of its session.")
      return .failure(PeerRefusal(reply))
    }
  }
}
