import VaultCrypto
import VaultFileSet
import VaultModel
import VaultProtocol
import VaultSystem

/// One of the threads that turn units into groups: open, read, digest, group, compress.
struct BackupWorker: ~Copyable {
  let context: BackupContext
  private let link: DirectorLink
  let progress: ProgressReporter
  let encoder: GroupEncoder
  /// How the data that this thread compresses shrinks.
  var trend = CompressionTrend()
  var hasher: ContentHasher
  /// Digests the small files of a group at once, before it is emitted.
  var batch: BatchHasher
  /// What is in the batch.
  var unsealed: [UnsealedContent] = []
  /// The batch's last digests.
  var digests: [Digest256] = []
  var entries = RecordWriter(capacity: 256 * 1024)
  var seals = RecordWriter(capacity: 64 * 1024)
  /// The extended attributes of the present entry.
  var extended = ExtendedAttributeReader()
  /// The data group that is being filled, and the memory it lies in.
  var data = DataGroupBuilder(UnsafeMutableRawBufferPointer(start: nil, count: 0))
  var raw: PooledBuffer?
  var counters = JobCounters()
  /// When the present file was opened, and how exactly its file system keeps times.
  var source = Source(openedAt: Timestamp(nanoseconds: 0), granularityNanoseconds: 0)
  /// Directories of the unit that a directory record names already.
  var namedDirectoryCount = 0
  /// Bytes of the present file that progress was told of.
  private var toldByteCount: UInt64 = 0
  /// The directory of the name that is being processed, by its place in the unit's list.
  var presentDirectory = 0

  struct Source {
    let openedAt: Timestamp
    let granularityNanoseconds: Int64
  }

  init(
    context: BackupContext, link: DirectorLink, progress: ProgressReporter, compression: Compression
  ) throws {
    let encoder = try GroupEncoder(compression)
    let hasher = try ContentHasher()
    let batch = try BatchHasher()
    self.encoder = encoder
    self.hasher = hasher
    self.batch = batch
    self.context = context
    self.link = link
    self.progress = progress
    unsealed.reserveCapacity(BatchHasher.usualCount)
    digests.reserveCapacity(BatchHasher.usualCount)
  }

  /// Works until there is no more, or the job fails.
  mutating func run() {
    while let work = context.work.next() {
      do {
        switch work {
        case .compress(let job): try compress(job)
        case .unit(let unit):
          defer { context.work.finishedUnit() }
          do {
            try process(unit)
          } catch {
            unit.abandon()
            throw error
          }
          unit.outputs.finish()
          context.add(counters)
          counters = JobCounters()
        }
      } catch is BackupStopped {
        // Another thread said why, or the sequencer needs no more.
        continue
      } catch {
        context.fail(error)
      }
    }
  }

  private mutating func process(_ unit: BackupUnit) throws {
    if unit.asksForInodes { unit.answer(try link.askInodes(of: unit)) }
    namedDirectoryCount = 0
    presentDirectory = 0
    entries.removeAll()
    seals.removeAll()
    unsealed.removeAll(keepingCapacity: true)
    batch.removeAll()
    for index in unit.items.indices {
      let item = unit.items[index]
      if unit.isCut {
        // A file that became large among small ones was cut: what follows it is the next attempt's.
        item.promise?.fulfil(.failed)
        continue
      }
      try unit.arena.withUnsafeBytes { arena in
        let name = UnsafeRawBufferPointer(rebasing: arena[item.nameStart..<item.nameStart + item.nameLength])
        let start = item.nameStart + item.nameLength + 1
        let target = UnsafeRawBufferPointer(rebasing: arena[start..<start + item.targetLength])
        try process(WorkItem(item: item, name: name, target: target, unit: unit))
      }
    }
    try endUnit(unit)
  }

  private mutating func process(_ work: borrowing WorkItem) throws {
    presentDirectory = work.item.directory
    nameDirectories(work.unit, through: work.item.directory)
    toldByteCount = 0
    switch work.item.action {
    case .attributes: try storeAttributes(work)
    case .ownerName(let kind, let number):
      entries.ownerName(kind, number: number, name: ByteString(work.name))
    case .delete: entries.deletion(directory: work.directoryNumber, name: ByteString(work.name))
    case .problem(let phase, let errorNumber): problem(work, phase, errorNumber)
    case .store, .compare, .resume: try readFile(work)
    case .follow(let promise):
      if case .sealed(let content, let first) = promise.wait(), first.isSameFile(as: work.item.attributes) {
        try follow(work, content, first)
      } else {
        try readFile(work)
      }
    }
    if work.item.attributes.type == .regular, work.item.attributes.size > toldByteCount {
      progress.worked(work.item.attributes.size - toldByteCount)
    }
    // The next entry, 64 KiB at most, must still fit the group.
    if entries.count > GroupLimits.rawLimit - 2 * GroupLimits.entryLimit { try flush(work.unit) }
  }

  mutating func nameDirectories(_ unit: BackupUnit, through last: Int) {
    while namedDirectoryCount <= last {
      let directory = unit.directories[namedDirectoryCount]
      entries.directory(number: directory.number, path: directory.path)
      namedDirectoryCount += 1
    }
  }

  mutating func problem(_ work: borrowing WorkItem, _ phase: ProblemPhase, _ errorNumber: Int32) {
    counters.problems += 1
    nameDirectories(work.unit, through: work.item.directory)
    entries.problem(
      directory: work.directoryNumber, name: ByteString(work.name), phase: phase, errorNumber: errorNumber)
  }

  /// Counts an entry whose content decides what it counts as.
  mutating func count(_ item: UnitItem, _ digest: Digest256?) {
    if let comparison = item.comparison { counters.count(comparison, isSame: digest == comparison.digest) }
  }

  /// Tells how far the present file is read: at most its size counts, however often it is read.
  mutating func tell(_ byteCount: Int, of size: UInt64) {
    let count = min(UInt64(byteCount), size - min(size, toldByteCount))
    toldByteCount += count
    progress.worked(count)
    if size > UInt64(GroupLimits.contentDataLimit) { progress.tick() }
  }

  /// Reads one regular file; the file's own trouble becomes a problem, anything else stops the job.
  mutating func readFile(_ work: borrowing WorkItem) throws {
    do {
      let outcome = try store(work)
      work.item.promise?.fulfil(outcome)
      if case .sealed(let content, _) = outcome { count(work.item, content.digest) } else { count(work.item, nil) }
    } catch let trouble as FileReadError {
      work.item.promise?.fulfil(.failed)
      problem(work, trouble.phase, trouble.errorNumber)
      // What is known of it stays.
      count(work.item, work.item.comparison?.digest)
    } catch {
      work.item.promise?.fulfil(.failed)
      throw error
    }
  }
}

/// What is known of a small file that was read, but for its digest.
struct UnsealedContent {
  let index: UInt64
  let size: UInt64
  let flags: SealFlags
}

/// One name with its bytes, lent from the unit's arena.
struct WorkItem {
  var item: UnitItem
  let name: UnsafeRawBufferPointer
  let target: UnsafeRawBufferPointer
  let unit: BackupUnit

  var path: ByteString {
    DirectoryKey(path: unit.directories[item.directory].path).appending(ByteString(name)).path
  }
  var directoryNumber: UInt64 { unit.directories[item.directory].number }

  /// The same name, to be read and compared with a content.
  func comparing(with content: ContentReference) -> WorkItem {
    var other = self
    other.item.action = .compare(content)
    return other
  }
}

extension FileAttributes {
  /// Whether both describe the same state of the same inode, as far as its content goes.
  func isSameFile(as other: FileAttributes) -> Bool {
    inode == other.inode && device == other.device && size == other.size && modified == other.modified
  }
}
