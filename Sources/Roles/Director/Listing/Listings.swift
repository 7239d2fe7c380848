import VaultCatalog
import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

/// Answers a console's questions about the catalog: jobs, files, problems.
struct Listings: Sendable {
  private static let rowsPerBatch = 2048

  let director: Director
  let channel: Channel

  /// Every job, a line each; one job when `job` names it.
  func jobs(_ line: ControlLine) async throws -> Reply {
    let (catalog, channel) = (director.catalog, channel)
    try await onThread(name: "vault-list") {
      for job in try catalog.jobs(of: nil) {
        if let wanted = line["job"]?.text, wanted != String(job.description.number) { continue }
        let bytes = JobLine.encode(job).encoded()
        try bytes.withUnsafeBytes { try channel.sendFrameBlocking(.listing, $0) }
      }
    }
    return Reply(.directorOK)
  }

  /// The problems that a job met, a line each.
  func problems(_ line: ControlLine) async throws -> Reply {
    let (catalog, channel) = (director.catalog, channel)
    let number: JobNumber = try line.integer("job")
    try await onThread(name: "vault-list") {
      var sentCount: UInt64 = 0
      while true {
        let problems = try catalog.problems(of: number, after: sentCount, limit: Self.rowsPerBatch)
        for problem in problems { try Self.send(problem, channel) }
        sentCount += UInt64(problems.count)
        if problems.count < Self.rowsPerBatch { break }
      }
    }
    return Reply(.directorOK)
  }

  private static func send(_ problem: FileProblem, _ channel: Channel) throws {
    var line = ControlLine("problem")
    line.set("directory", problem.directory.path)
    line.set("name", problem.name)
    line.set("phase", problem.phase.rawValue)
    line.set("errno", problem.errorNumber)
    let bytes = line.encoded()
    try bytes.withUnsafeBytes { try channel.sendFrameBlocking(.listing, $0) }
  }

  /// The entries of a tree as at a job, all or those at and below a path, as records.
  func files(_ line: ControlLine) async throws -> Reply {
    let (catalog, channel) = (director.catalog, channel)
    let number = try await onThread(name: "vault-list") {
      let selection = try TreeSelection.resolve(line, catalog)
      var count = 0
      var walk = ListingWalk(catalog: catalog, source: selection.source, path: line["path"])
      while let batch = try walk.next(limit: Self.rowsPerBatch) {
        count += batch.count
        try Self.send(batch, channel)
      }
      if count == 0, let path = line["path"], path != "/" {
        throw DirectorError.notInJob(path.displayText, selection.job.description.number)
      }
      return selection.job.description.number
    }
    return Reply(.directorOK, fields: [.init(key: "job", value: ByteString(String(number)))])
  }

  private static func send(_ rows: [StateRow], _ channel: Channel) throws {
    var writer = RecordWriter(capacity: 256 * 1024)
    var directory: DirectoryKey?
    var number: UInt64 = 0
    for row in rows {
      if directory != row.directory || writer.count > FrameHeader.payloadLimit / 2 {
        if writer.count > FrameHeader.payloadLimit / 2 {
          try channel.sendFrameBlocking(.listing, writer.bytes)
          writer.removeAll()
        }
        directory = row.directory
        number += 1
        writer.directory(number: number, path: row.directory.path)
      }
      writer.entry(index: 0, directory: number, row.entry)
    }
    if !writer.isEmpty { try channel.sendFrameBlocking(.listing, writer.bytes) }
  }
}

/// Walks the rows of a listing in canonical order, batch by batch, cut to a path.
struct ListingWalk {
  let catalog: any CatalogStore
  let source: SelectionSource
  private let key: DirectoryKey?
  private var position: CanonicalPosition?
  private var isAtEnd = false

  init(catalog: any CatalogStore, source: SelectionSource, path: ByteString?) {
    self.catalog = catalog
    self.source = source
    let key = path.map { DirectoryKey(path: $0) }
    self.key = key == .root ? nil : key
  }

  /// The next rows; nil at the end.
  mutating func next(limit: Int) throws -> [StateRow]? {
    while !isAtEnd {
      var rows: [StateRow] = []
      if position == nil, let key, let (parent, name) = key.parentAndName {
        // The path's own entry, then what lies below it: its rows come long after its siblings' in canonical order.
        position = CanonicalPosition(directory: key, name: "")
        if let entry = try entry(at: CanonicalPosition(directory: parent, name: name)) {
          rows.append(StateRow(directory: parent, entry: entry, first: 0))
        }
        if !rows.isEmpty { return rows }
      }
      let key = key
      let more = try read(limit) { row in
        if key.map({ row.directory.isWithin($0) }) ?? true { rows.append(row) }
      }
      isAtEnd = !more
      if let position, let key, !position.directory.isWithin(key) { isAtEnd = true }
      if !rows.isEmpty { return rows }
    }
    return nil
  }

  private func entry(at position: CanonicalPosition) throws -> Entry? {
    switch source {
    case .everyContent: return nil
    case .state(let tree, let sequence): return try catalog.entry(of: tree, sequence: sequence, at: position)
    case .staged(let job):
      var found: Entry?
      let before = CanonicalPosition(directory: position.directory, name: "")
      var after: CanonicalPosition? = before
      while found == nil, let from = after {
        after = nil
        let more = try catalog.readStaged(of: job, after: from, limit: 1024) { row in
          if row.directory == position.directory, row.entry.name == position.name { found = row.entry }
          after = CanonicalPosition(directory: row.directory, name: row.entry.name)
        }
        if !more || (after.map { $0 >= position } ?? true) { break }
      }
      return found
    }
  }

  private mutating func read(_ limit: Int, _ visit: (StateRow) -> Void) throws -> Bool {
    var last = position
    let note: (StateRow) -> Void = { row in
      last = CanonicalPosition(directory: row.directory, name: row.entry.name)
      visit(row)
    }
    defer { position = last }
    switch source {
    case .everyContent: return false
    case .state(let tree, let sequence):
      return try catalog.readState(of: tree, sequence: sequence, after: position, limit: limit, note)
    case .staged(let job): return try catalog.readStaged(of: job, after: position, limit: limit, note)
    }
  }
}
