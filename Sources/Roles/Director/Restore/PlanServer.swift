import VaultCatalog
import VaultModel
import VaultProtocol
import VaultSession

/// Answers the file daemon while a restore runs: the plan, batch by batch, and at last the job's end. Blocks its thread.
struct PlanServer: ~Copyable {
  private static let rowsPerBatch = 2048

  private let channel: Channel
  private let catalog: any CatalogStore
  private let source: SelectionSource
  private let paths: [ByteString]
  private let onProgress: @Sendable (FrameKind, [UInt8]) -> Void
  private var pass: UInt8 = 0
  private var cursor: SelectionCursor?
  private var isAtEnd = false
  private var locations: LocationCursor
  private var directoryNumber: UInt64 = 0

  init(
    channel: Channel, catalog: any CatalogStore, source: SelectionSource, paths: [ByteString],
    onProgress: @escaping @Sendable (FrameKind, [UInt8]) -> Void
  ) {
    self.channel = channel
    self.catalog = catalog
    self.source = source
    self.paths = paths
    self.onProgress = onProgress
    locations = LocationCursor(catalog: catalog)
  }

  /// Serves until the file daemon's job ends.
  mutating func run() throws -> ControlLine {
    while true {
      let header = try channel.receiveFrameHeader()
      var payload = [UInt8](repeating: 0, count: header.payloadLength)
      try payload.withUnsafeMutableBytes { try channel.receive(into: $0) }
      switch header.kind {
      case .planRequest: try sendBatch(payload.first ?? 0)
      case .progress, .restoreProblem: onProgress(header.kind, payload)
      case .jobEnd: return try ControlLine(payload: payload)
      default:
        throw TransportError(.malformed("a frame of kind \(header.kind) in a restore"), peer: channel.transport.peer)
      }
    }
  }

  /// Passes: 1 directories, 2 contents, 3 directories again for their attributes.
  private mutating func sendBatch(_ wanted: UInt8) throws {
    if wanted != pass {
      pass = wanted
      cursor = nil
      isAtEnd = false
    }
    guard !isAtEnd else {
      try channel.sendFrameBlocking(.planEnd, UnsafeRawBufferPointer(start: nil, count: 0))
      return
    }
    var rows: [StateRow] = []
    cursor = try catalog.readSelection(
      of: source, paths: paths, pass: pass == 2 ? .contents : .directories, after: cursor, limit: Self.rowsPerBatch
    ) { rows.append($0) }
    isAtEnd = cursor == nil
    try send(rows)
  }

  private mutating func send(_ rows: [StateRow]) throws {
    var found: [SessionLocations] = []
    if pass == 2 {
      for row in rows { try collect(row.entry.content, into: &found) }
    }
    let frameCount = found.count
    var payload = ByteWriter(capacity: 512 * 1024)
    payload.integer(UInt32(frameCount))
    var records = RecordWriter(capacity: 512 * 1024)
    var directory: DirectoryKey?
    for row in rows {
      if directory != row.directory {
        directory = row.directory
        directoryNumber += 1
        records.directory(number: directoryNumber, path: row.directory.path)
      }
      records.entry(index: 0, directory: directoryNumber, row.entry)
    }
    payload.append(records.bytes)
    try channel.sendFrameBlocking(.plan, payload.bytes)
    for run in found {
      var writer = ByteWriter(capacity: 64 * 1024)
      writer.identifier(run.session)
      for location in run.locations { LocationCodec.write(location, to: &writer) }
      try channel.sendFrameBlocking(.planLocations, writer.bytes)
    }
  }

  /// Groups of one session, as many as one frame takes.
  private struct SessionLocations {
    let session: UniqueIdentifier
    var locations: [GroupLocation] = []
  }

  /// Adds a content's groups, each once: contents come in the order of their groups.
  private mutating func collect(_ content: ContentReference, into found: inout [SessionLocations]) throws {
    guard case .stored(let identifier, let sealed) = content else { return }
    for location in try locations.locations(of: identifier, size: sealed.size) {
      let isFull = (found.last?.locations.count ?? 0) >= LocationCodec.locationsPerFrame
      if found.last?.session != identifier.session || isFull {
        found.append(SessionLocations(session: identifier.session))
      }
      if found[found.count - 1].locations.last?.group == location.group { continue }
      found[found.count - 1].locations.append(location)
    }
  }
}
