import VaultCrypto
import VaultFileSet
import VaultModel
import VaultProtocol
import VaultSystem

/// One of the threads that write files: decompress, write, digest, and give the name only when the digest matched.
struct RestoreWorker: ~Copyable {
  private let report: RestoreReport
  private let lists: ExtendedLists
  /// Missing when contents are only compared with their digests.
  private var writer: RestoreWriter?
  private var hasher: SHA256Hasher
  private let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: GroupLimits.rawLimit, alignment: 4096)

  init(
    report: RestoreReport, target: RestoreTarget?, lists: ExtendedLists, randomSeed: UInt64
  ) throws(CryptoError) {
    self.report = report
    self.lists = lists
    writer = target.map { RestoreWriter(target: $0, randomSeed: randomSeed) }
    hasher = try SHA256Hasher()
  }

  deinit { scratch.deallocate() }

  mutating func run(_ queue: RestoreQueue) {
    while let work = queue.pop() {
      switch work {
      case .empty(let items):
        for item in items { small(item, UnsafeRawBufferPointer(start: nil, count: 0)) }
      case .group(let group, let items): contents(of: group, items)
      case .large(let item, let groups): large(item, groups)
      }
      queue.done()
    }
  }

  // MARK: Groups of whole contents

  private mutating func contents(of group: FetchedGroup, _ items: [UInt64: ContentItem]) {
    do {
      let bytes = UnsafeRawBufferPointer(rebasing: group.block.used[group.range])
      var reader = RecordReader(try GroupView(decoding: bytes).records(using: scratch))
      while let record = try reader.next() {
        guard case .contentData(let index, let offset, let content) = record else {
          throw FormatError(.malformed, "data group")
        }
        if let item = items[index], offset == 0 { small(item, content) }
      }
    } catch {
      for item in items.values where !item.isSettled { fail(item, "its data is damaged: \(error)", damage: true) }
    }
  }

  private mutating func small(_ item: ContentItem, _ content: UnsafeRawBufferPointer) {
    guard !item.isSettled else { return }
    do {
      try hasher.begin()
      try hasher.update(content)
      let digest = try hasher.finish()
      guard UInt64(content.count) == item.sealed.size, digest == item.sealed.digest else {
        return fail(item, "its data does not match its digest", damage: true)
      }
      item.settle()
      if writer == nil { return report.verified(bytes: item.sealed.size) }
      for group in item.groups { write(group, content) }
    } catch {
      fail(item, "\(error)", damage: false)
    }
  }

  private mutating func write(_ group: ContentItem.LinkGroup, _ content: UnsafeRawBufferPointer) {
    guard let first = group.rows.first else { return }
    do throws(FileSetError) {
      guard
        var file = try writer?.writeFile(
          directory: first.directory, name: first.entry.name, attributes: first.entry.attributes)
      else { return exists(group) }
      try file.write(content)
      try commit(file, group, UInt64(content.count))
    } catch {
      fail(group, error)
    }
  }

  /// Gives a written file its name, and its other names.
  private mutating func commit(
    _ file: consuming RestoringFile, _ group: ContentItem.LinkGroup, _ byteCount: UInt64
  ) throws(FileSetError) {
    guard let first = group.rows.first else { return }
    let attributes = first.entry.attributes
    let identity = group.rows.count > 1 || !attributes.inodeFlags.isEmpty ? try file.identity() : nil
    let list = extended(of: first)
    guard case .written(let unset) = try file.commit(attributes: attributes, extended: list) else {
      return exists(group)
    }
    report.restored(first.path, unset, bytes: byteCount)
    guard let identity else { return }
    let source = RestoredFile(directory: first.directory, name: first.entry.name, identity: identity)
    for row in group.rows.dropFirst() { link(row, to: source) }
    guard !attributes.inodeFlags.isEmpty else { return }
    if let unset = try writer?.setInodeFlags(attributes.inodeFlags, of: source) { report.notSet(unset, of: first.path) }
  }

  private func extended(of row: PlanBatch.Row) -> ByteString {
    do throws(SystemError) { return try lists.list(row.entry.extended) } catch {
      report.problem(row.path, error.description)
      return ""
    }
  }

  private mutating func link(_ row: PlanBatch.Row, to source: RestoredFile) {
    do throws(FileSetError) {
      let outcome = try writer?.createHardLink(
        directory: row.directory, name: row.entry.name, to: source, modified: row.entry.attributes.modified)
      if outcome == .exists { return report.problem(row.path, RestoreWords.exists) }
      report.restored(row.path, [], bytes: 0)
    } catch {
      report.problem(row.path, error.description)
    }
  }

  // MARK: Contents of many groups

  private mutating func large(_ item: ContentItem, _ groups: BoundedQueue<FetchedGroup>) {
    defer {
      // What still comes is nobody's.
      while groups.pop() != nil {}
    }
    guard let group = item.groups.first, let first = group.rows.first else { return }
    do {
      var file = try writer?.writeFile(
        directory: first.directory, name: first.entry.name, attributes: first.entry.attributes)
      if writer != nil, file == nil {
        item.settle()
        return exists(group)
      }
      try hasher.begin()
      var size: UInt64 = 0
      defer { report.wrote(size) }
      while let fetched = groups.pop() {
        let bytes = UnsafeRawBufferPointer(rebasing: fetched.block.used[fetched.range])
        var reader = RecordReader(try GroupView(decoding: bytes).records(using: scratch))
        while let record = try reader.next() {
          guard case .contentData(item.identifier.index, let offset, let content) = record else { continue }
          guard offset == size else { throw FormatError(.malformed, "data group") }
          try hasher.update(content)
          try file?.write(content)
          size += UInt64(content.count)
          report.writing(first.path, UInt64(content.count))
        }
      }
      let digest = try hasher.finish()
      if item.isSettled { return }
      guard size == item.sealed.size, digest == item.sealed.digest else {
        return fail(item, "its data does not match its digest", damage: true)
      }
      item.settle()
      guard let file else { return report.verified(bytes: size) }
      try commit(file, group, size)
    } catch let error as FileSetError {
      item.settle()
      fail(group, error)
    } catch {
      fail(item, "its data is damaged: \(error)", damage: true)
    }
  }

  // MARK: Failures

  private func exists(_ group: ContentItem.LinkGroup) {
    for row in group.rows { report.problem(row.path, RestoreWords.exists) }
  }

  private func fail(_ group: ContentItem.LinkGroup, _ error: FileSetError) {
    for row in group.rows { report.problem(row.path, error.description) }
  }

  private func fail(_ item: ContentItem, _ reason: String, damage: Bool) {
    item.settle()
    report.failed(item, reason, damage: damage)
  }
}

/// Sentences that several stages of a restore say.
enum RestoreWords {
  static let exists = "exists already and was kept (see --overwrite)"
}
