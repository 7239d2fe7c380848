import VaultCatalog
import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

/// Answers a console's questions across jobs: the versions of a file, where a name was, what changed between two jobs.
struct HistoryListings: Sendable {
  /// Rows that one call to the catalog looks at: others wait no longer than that.
  private static let rowsPerPage = 8192
  private static let versionsPerPage = 256

  let director: Director
  let channel: Channel

  // MARK: Versions

  /// The versions of one entry, newest first, a line each.
  func versions(_ line: ControlLine) async throws -> Reply {
    let (catalog, channel) = (director.catalog, channel)
    guard let path = line["path"] else { throw ControlError(.missingField("path"), line: line.verb) }
    try await onThread(name: "vault-list") {
      let tree = try TreeSelection.tree(named: line["name"], catalog)
      guard let (directory, name) = DirectoryKey(path: path).parentAndName else {
        throw DirectorError.pathNotSaved(path.displayText)
      }
      let position = CanonicalPosition(directory: directory, name: name)
      // The next newer version begins where this one ends, unless the entry was deleted.
      var newer: JobNumber?
      var before: UInt64?
      var more = true
      var pending: (version: EntryVersion, isReplaced: Bool)?
      while more {
        var page: [EntryVersion] = []
        more = try catalog.readVersions(of: tree, at: position, before: before, limit: Self.versionsPerPage) {
          page.append($0)
        }
        for version in page {
          let isReplaced = newer != nil && version.ended?.number == newer
          newer = version.saved.number
          if isReplaced, let known = pending, known.version.row.entry.differences(from: version.row.entry).isEmpty {
            // A full job saved again what was there.
            pending?.version.firstKept = version.firstKept
            pending?.version.saved = version.saved
            continue
          }
          if let known = pending { try Self.send(Self.line(known.version, isReplaced: known.isReplaced), channel) }
          pending = (version, isReplaced)
        }
        guard let last = page.last else { break }
        before = last.row.first
      }
      guard let known = pending else { throw DirectorError.pathNotSaved(path.displayText) }
      try Self.send(Self.line(known.version, isReplaced: known.isReplaced), channel)
    }
    return Reply(.directorOK)
  }

  private static func line(_ version: EntryVersion, isReplaced: Bool) -> ControlLine {
    var line = ControlLine("version")
    set("saved", version.saved, &line)
    set("first", version.firstKept, &line)
    set("last", version.lastKept, &line)
    if let ended = version.ended {
      set("ended", ended, &line)
      line.set("end", isReplaced ? "replaced" : "deleted")
    }
    var writer = RecordWriter(capacity: 1024)
    writer.entry(index: 0, directory: 1, version.row.entry)
    line.set("entry", ByteString(writer.bytes))
    return line
  }

  fileprivate static func set(_ key: String, _ moment: JobMoment, _ line: inout ControlLine) {
    line.set(key, moment.number)
    if let ended = moment.ended { line.set(key + "-at", ended.nanoseconds) }
  }

  private static func send(_ line: ControlLine, _ channel: Channel) throws {
    try line.encoded().withUnsafeBytes { try channel.sendFrameBlocking(.listing, $0) }
  }

  /// Says how far a search is, page by page: a console that is gone ends it.
  private static func tell(_ count: UInt64, _ channel: Channel) throws {
    var line = ControlLine("progress")
    line.set("entries", count)
    try line.encoded().withUnsafeBytes { try channel.sendFrameBlocking(.progress, $0) }
  }

  // MARK: Finding

  /// The entries, over all kept jobs, that a pattern takes, a line each.
  func find(_ line: ControlLine) async throws -> Reply {
    let (catalog, channel) = (director.catalog, channel)
    guard let text = line["pattern"], !text.isEmpty else {
      throw ControlError(.missingField("pattern"), line: line.verb)
    }
    let pattern = FindPattern(text)
    let name = line["name"]
    let count = try await onThread(name: "vault-list") {
      let trees = try catalog.trees().filter { name == nil || $0.tree.name == name }
      guard !trees.isEmpty else { throw DirectorError.noTree }
      var count: UInt64 = 0
      for tree in trees { count += try Self.find(pattern, in: tree.tree, catalog, channel) }
      return count
    }
    var reply = Reply(.directorOK)
    reply.line.set("count", count)
    return reply
  }

  private static func find(
    _ pattern: FindPattern, in tree: Tree, _ catalog: any CatalogStore, _ channel: Channel
  ) throws -> UInt64 {
    var cursor: HistoryCursor?
    var looked: UInt64 = 0
    var count: UInt64 = 0
    var pending: FoundEntry?
    repeat {
      var page: [EntryVersion] = []
      cursor = try catalog.readHistory(
        of: tree, after: cursor, limit: rowsPerPage, accept: { pattern.matches(directory: $0, name: $1) }
      ) { page.append($0) }
      for version in page {
        if pending?.add(version) == true { continue }
        if let found = pending { try send(found.line(tree), channel) }
        pending = FoundEntry(version)
        count += 1
      }
      looked += UInt64(rowsPerPage)
      if cursor != nil { try tell(looked, channel) }
    } while cursor != nil
    if let found = pending { try send(found.line(tree), channel) }
    return count
  }

  /// The versions of one entry, taken together.
  private struct FoundEntry {
    private let position: CanonicalPosition
    private let first: JobMoment
    private var newest: EntryVersion
    private var versionCount = 1

    init(_ version: EntryVersion) {
      position = CanonicalPosition(directory: version.row.directory, name: version.row.entry.name)
      first = version.firstKept
      newest = version
    }

    /// - Returns: false when the version is another entry's.
    mutating func add(_ version: EntryVersion) -> Bool {
      guard version.row.entry.name == position.name, version.row.directory == position.directory else { return false }
      newest = version
      versionCount += 1
      return true
    }

    func line(_ tree: Tree) -> ControlLine {
      var line = ControlLine("found")
      line.set("host", tree.host)
      line.set("name", tree.name)
      line.set("path", position.directory.appending(position.name).path)
      HistoryListings.set("first", first, &line)
      HistoryListings.set("last", newest.lastKept, &line)
      line.set("now", newest.ended == nil ? "yes" : "no")
      line.set("versions", versionCount)
      line.set("type", newest.row.entry.attributes.type.rawValue)
      line.set("size", newest.row.entry.storedSize)
      return line
    }
  }

  // MARK: Comparing

  /// What differs between the states that two jobs of a tree left, a line each, in canonical order.
  func diff(_ line: ControlLine) async throws -> Reply {
    let (catalog, channel) = (director.catalog, channel)
    let numbers: (JobNumber, JobNumber) = (try line.integer("job-a"), try line.integer("job-b"))
    let path = line["path"]
    let count = try await onThread(name: "vault-list") {
      let old = try Self.published(numbers.0, catalog)
      let new = try Self.published(numbers.1, catalog)
      guard old.tree == new.tree else { throw DirectorError.differentTrees(numbers.0, numbers.1) }
      let patterns = path.map { [PathPattern(path: $0)] } ?? []
      var merge = StateMerge(
        old: ListingWalk(catalog: catalog, source: .state(tree: old.tree, sequence: old.sequence), patterns: patterns),
        new: ListingWalk(catalog: catalog, source: .state(tree: new.tree, sequence: new.sequence), patterns: patterns))
      var count: UInt64 = 0
      try merge.run(tell: { try Self.tell($0, channel) }) { change in
        count += 1
        try Self.send(change.line, channel)
      }
      if merge.isEmpty, let path, path != "/" { throw DirectorError.pathNotSaved(path.displayText) }
      return count
    }
    var reply = Reply(.directorOK)
    reply.line.set("count", count)
    return reply
  }

  private static func published(_ number: JobNumber, _ catalog: any CatalogStore) throws -> JobDescription {
    guard let job = try catalog.job(number: number) else { throw DirectorError.noSuchJob(number) }
    guard job.status.isPublished else { throw DirectorError.notPublished(number) }
    return job.description
  }
}
