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

  /// The entries of a tree as at a job, all or those that paths and patterns select, as records.
  func files(_ line: ControlLine, _ arguments: [ByteString]) async throws -> Reply {
    let (catalog, channel) = (director.catalog, channel)
    let signal = CancelSignal()
    channel.whenBytesArrive { signal.set() }
    let number = try await onThread(name: "vault-list") {
      let selection = try TreeSelection.resolve(line, catalog)
      let choice = try ChosenPaths(arguments, in: selection, catalog) { signal.isSet }
      var walk = ListingWalk(catalog: catalog, source: selection.source, patterns: choice.patterns)
      while let page = try walk.nextPage(limit: Self.rowsPerBatch) {
        if signal.isSet { throw DirectorError.interrupted }
        try Self.send(page, channel)
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

/// Walks the rows that patterns select in canonical order, page by page.
struct ListingWalk {
  private let catalog: any CatalogStore
  private let source: SelectionSource
  private var walk: SelectionWalk
  private var pieces: ArraySlice<SelectionWalk.Piece> = []
  /// Where the directory goes on whose insides are being read.
  private var below: (directory: DirectoryKey, position: CanonicalPosition?)?

  /// - Parameter patterns: none stands for everything.
  init(catalog: any CatalogStore, source: SelectionSource, patterns: [PathPattern]) {
    self.catalog = catalog
    self.source = source
    walk = SelectionWalk(
      catalog: catalog, source: source, patterns: patterns.isEmpty ? [PathPattern(path: "/")] : patterns)
  }

  /// Some more rows, none where nothing matched for a while; nil at the end.
  mutating func nextPage(limit: Int) throws -> [StateRow]? {
    if let (directory, position) = below {
      var rows: [StateRow] = []
      let hasMore = try catalog.readRows(of: source, within: directory, after: position, limit: limit) {
        rows.append($0)
      }
      below = nil
      if hasMore, let last = rows.last {
        below = (directory, CanonicalPosition(directory: last.directory, name: last.entry.name))
      }
      return rows
    }
    if pieces.isEmpty {
      guard let found = try walk.next(limit: limit) else { return nil }
      pieces = found[...]
    }
    var rows: [StateRow] = []
    while let piece = pieces.popFirst() {
      switch piece {
      case .entry(let row): rows.append(row)
      case .below(let directory):
        below = (directory, nil)
        return rows
      }
    }
    return rows
  }
}
