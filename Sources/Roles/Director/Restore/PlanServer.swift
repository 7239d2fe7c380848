import VaultCatalog
import VaultModel
import VaultProtocol
import VaultSession

/// Answers the file daemon while a restore runs: the plan, batch by batch, and at last the job's end. Blocks its thread.
struct PlanServer: ~Copyable {
  private static let rowsPerBatch = 2048
  /// Names of one content that are kept together at most.
  private static let linkedRowLimit = 65_536

  private let channel: Channel
  private let catalog: any CatalogStore
  private let source: SelectionSource
  private let selection: Selection
  private let onProgress: @Sendable (FrameKind, [UInt8]) -> Void
  /// Takes what the file daemon tells; nil where it tells nothing.
  private let relay: (@Sendable (PeerRole, ControlLine) -> Void)?
  private var pass: UInt8 = 0
  private var cursor: SelectionCursor?
  private var isAtEnd = false
  private var locations: LocationCursor
  /// Missing where only contents are wanted.
  private var owners: OwnerNameCursor?
  private var extended: ExtendedCursor
  private var directoryNumber: UInt64 = 0
  /// Rows that were read and go with the next batch.
  private var held: [StateRow] = []

  /// - Parameter tree: whose entries are restored; nil when their contents are only read.
  init(
    channel: Channel, catalog: any CatalogStore, tree: Tree?, source: SelectionSource, selection: Selection,
    relay: (@Sendable (PeerRole, ControlLine) -> Void)? = nil,
    onProgress: @escaping @Sendable (FrameKind, [UInt8]) -> Void
  ) {
    self.channel = channel
    self.catalog = catalog
    self.source = source
    self.selection = selection
    self.onProgress = onProgress
    self.relay = relay
    locations = LocationCursor(catalog: catalog)
    owners = tree.map { OwnerNameCursor(catalog: catalog, tree: $0) }
    extended = ExtendedCursor(catalog: catalog)
  }

  /// Serves until the file daemon's job ends.
  mutating func run() throws -> ControlLine {
    defer { endReading() }
    while true {
      let header = try channel.receiveFrameHeader()
      var payload = [UInt8](repeating: 0, count: header.payloadLength)
      try payload.withUnsafeMutableBytes { try channel.receive(into: $0) }
      switch header.kind {
      case .planRequest: try sendBatch(payload.first ?? 0)
      case .progress, .restoreProblem, .restoredBytes: onProgress(header.kind, payload)
      case .message: relay?(.fileDaemon, try ControlLine(payload: payload))
      case .jobEnd: return try ControlLine(payload: payload)
      default:
        throw TransportError(.malformed("a frame of kind \(header.kind) in a restore"), peer: channel.transport.peer)
      }
    }
  }

  /// Passes, in this order: 1 directories, 2 contents, 3 directories again for their attributes, if the file daemon wants that.
  private mutating func sendBatch(_ wanted: UInt8) throws {
    if wanted > pass { begin(pass: wanted) }
    try readRows()
    if wanted < pass || held.isEmpty {
      answer(.planEnd, UnsafeRawBufferPointer(start: nil, count: 0))
    } else {
      try sendHeld()
    }
    // Rows are sorted for the second pass while the last directories of the first are made.
    if pass == 1, isAtEnd, held.isEmpty {
      begin(pass: 2)
      try readRows()
    }
  }

  private mutating func begin(pass: UInt8) {
    self.pass = pass
    endReading()
    isAtEnd = false
    held = []
  }

  /// Gives up what of a pass was not read; what cannot be removed of it goes with the catalog.
  private mutating func endReading() {
    guard let cursor = cursor.take() else { return }
    try? catalog.endReading(cursor)
  }

  /// Reads until a batch is full, and on while its last content may have further names: hard links come together.
  private mutating func readRows() throws {
    while !isAtEnd,
      held.count < Self.rowsPerBatch || pass == 2 && held.first?.entry.content == held.last?.entry.content,
      held.count < Self.linkedRowLimit
    {
      var rows: [StateRow] = []
      // Not copied while more are added.
      swap(&rows, &held)
      defer { swap(&rows, &held) }
      cursor = try catalog.readSelection(
        of: source, selection, pass: pass == 2 ? .contents : .directories, after: cursor, limit: Self.rowsPerBatch
      ) { rows.append($0) }
      isAtEnd = cursor == nil
      if pass != 2 { return }
    }
  }

  /// How many of the held rows go now: all but those of the last content, of which more may come.
  private func readyCount() -> Int {
    guard pass == 2, !isAtEnd, let last = held.last else { return held.count }
    guard case .stored(let content, _) = last.entry.content else { return held.count }
    let other = held.lastIndex { row in
      if case .stored(content, _) = row.entry.content { return false }
      return true
    }
    return other.map { $0 + 1 } ?? held.count
  }

  private mutating func sendHeld() throws {
    var records = RecordWriter(capacity: 512 * 1024)
    var found: [SessionLocations] = []
    var directory: DirectoryKey?
    var sentCount = 0
    for row in held.prefix(readyCount()) {
      // Very long paths fill a frame before the batch is full.
      if records.count > FrameHeader.payloadLimit / 2 { break }
      if directory != row.directory {
        directory = row.directory
        directoryNumber += 1
        records.directory(number: directoryNumber, path: row.directory.path)
      }
      for owner in try owners?.changes(for: row) ?? [] {
        records.ownerName(owner.kind, number: owner.number, name: owner.name)
      }
      // The index tells a directory that only leads on; a plan needs no other.
      records.entry(index: row.leadsOnly ? 1 : 0, directory: directoryNumber, row.entry)
      if pass == 2 { try collect(row.entry.content, into: &found) }
      // The first pass makes directories only.
      if pass != 1, owners != nil, let reference = row.entry.extended { extended.want(reference.carrier) }
      sentCount += 1
    }
    held.removeFirst(sentCount)
    for run in try extended.take() { add(run.locations, of: run.session, to: &found) }
    var payload = ByteWriter(capacity: records.count + 4)
    payload.integer(UInt32(found.count))
    payload.append(records.bytes)
    answer(.plan, payload.bytes)
    for run in found {
      var writer = ByteWriter(capacity: 64 * 1024)
      writer.identifier(run.session)
      for location in run.locations { LocationCodec.write(location, to: &writer) }
      answer(.planLocations, writer.bytes)
    }
  }

  /// Sends what was asked for; that the file daemon is gone shows in the next receive.
  private func answer(_ kind: FrameKind, _ payload: UnsafeRawBufferPointer) {
    try? channel.sendFrameBlocking(kind, payload)
  }

  /// Groups of one session, as many as one frame takes.
  private struct SessionLocations {
    let session: UniqueIdentifier
    var locations: [GroupLocation] = []
  }

  /// Adds attribute groups, in frames of their own.
  private func add(
    _ locations: [GroupLocation], of session: UniqueIdentifier, to found: inout [SessionLocations]
  ) {
    var rest = locations[...]
    while !rest.isEmpty {
      let part = rest.prefix(LocationCodec.locationsPerFrame)
      found.append(SessionLocations(session: session, locations: Array(part)))
      rest = rest.dropFirst(part.count)
    }
  }

  /// Adds a content's groups, each once: contents and groups come in the same order, which is not always that of the groups'
  /// numbers.
  private mutating func collect(_ content: ContentReference, into found: inout [SessionLocations]) throws {
    guard case .stored(let identifier, let sealed) = content else { return }
    for location in try locations.locations(of: identifier, size: sealed.size) {
      let isFull = (found.last?.locations.count ?? 0) >= LocationCodec.locationsPerFrame
      if found.last?.session != identifier.session || isFull {
        found.append(SessionLocations(session: identifier.session))
      }
      // Further names of a content want the same groups again.
      if let last = found[found.count - 1].locations.last,
        (last.firstEntry, last.firstOffset) >= (location.firstEntry, location.firstOffset)
      {
        continue
      }
      found[found.count - 1].locations.append(location)
    }
  }
}
