import VaultCrypto
import VaultFileSet
import VaultModel
import VaultProtocol
import VaultSystem

/// One of the threads that turn units into groups: open, read, digest, group, compress.
struct BackupWorker: ~Copyable {
  let context: BackupContext
  private let link: DirectorLink
  var hasher: SHA256Hasher
  var entries = RecordWriter(capacity: 256 * 1024)
  var seals = RecordWriter(capacity: 64 * 1024)
  /// The data group that is being filled, and the memory it lies in.
  var data = DataGroupBuilder(UnsafeMutableRawBufferPointer(start: nil, count: 0))
  var raw: PooledBuffer?
  var counters = JobCounters()
  /// When the present file was opened, and how exactly its file system keeps times.
  var source = Source(openedAt: Timestamp(nanoseconds: 0), granularityNanoseconds: 0)
  /// Directories of the unit that a directory record names already.
  var namedDirectoryCount = 0

  struct Source {
    let openedAt: Timestamp
    let granularityNanoseconds: Int64
  }

  init(context: BackupContext, link: DirectorLink) throws(CryptoError) {
    self.context = context
    self.link = link
    hasher = try SHA256Hasher()
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
    entries.removeAll()
    seals.removeAll()
    for index in unit.items.indices {
      let item = unit.items[index]
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
    nameDirectories(work.unit, through: work.item.directory)
    switch work.item.action {
    case .attributes: entry(work, work.item.attributes, .none)
    case .delete: entries.deletion(directory: work.directoryNumber, name: ByteString(work.name))
    case .problem(let phase, let errorNumber): problem(work, phase, errorNumber)
    case .store, .compare, .resume: try readFile(work)
    case .follow(let promise):
      if case .sealed(let content, let first) = promise.wait(), first.isSameFile(as: work.item.attributes) {
        entry(work, work.item.attributes, content)
      } else {
        try readFile(work)
      }
    }
    // The next entry, 64 KiB at most, must still fit the group.
    if entries.count > GroupLimits.rawLimit - 2 * GroupLimits.entryLimit { try flush(work.unit) }
  }

  private mutating func nameDirectories(_ unit: BackupUnit, through last: Int) {
    while namedDirectoryCount <= last {
      let directory = unit.directories[namedDirectoryCount]
      entries.directory(number: directory.number, path: directory.path)
      namedDirectoryCount += 1
    }
  }

  mutating func entry(_ work: borrowing WorkItem, _ attributes: FileAttributes, _ content: ContentReference) {
    entries.entry(
      index: work.item.index, directory: work.directoryNumber, name: work.name, attributes, content,
      linkTarget: work.target)
  }

  mutating func problem(_ work: borrowing WorkItem, _ phase: ProblemPhase, _ errorNumber: Int32) {
    counters.problems += 1
    nameDirectories(work.unit, through: work.item.directory)
    entries.problem(
      directory: work.directoryNumber, name: ByteString(work.name), phase: phase, errorNumber: errorNumber)
  }

  /// Reads one regular file; the file's own trouble becomes a problem, anything else stops the job.
  private mutating func readFile(_ work: borrowing WorkItem) throws {
    do {
      let outcome = try store(work)
      work.item.promise?.fulfil(outcome)
    } catch let trouble as FileReadError {
      work.item.promise?.fulfil(.failed)
      problem(work, trouble.phase, trouble.errorNumber)
    } catch {
      work.item.promise?.fulfil(.failed)
      throw error
    }
  }
}

/// One name with its bytes, lent from the unit's arena.
struct WorkItem {
  let item: UnitItem
  let name: UnsafeRawBufferPointer
  let target: UnsafeRawBufferPointer
  let unit: BackupUnit

  var directoryNumber: UInt64 { unit.directories[item.directory].number }
}

extension FileAttributes {
  /// Whether both describe the same state of the same inode, as far as its content goes.
  func isSameFile(as other: FileAttributes) -> Bool {
    inode == other.inode && device == other.device && size == other.size && modified == other.modified
  }
}
