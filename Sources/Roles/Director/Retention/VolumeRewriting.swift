import VaultCatalog
import VaultModel
import VaultProtocol
import VaultSession

/// Has volumes rewritten by the storage daemon, one after another. Blocks its thread.
///
/// Every step may be the last before a crash: the new volume is whole and on stable storage first; then the catalog gives
/// its groups their new places and calls the old volume purged, in one transaction; then the old file goes; then the
/// catalog forgets it. The next start removes the new file before that transaction, and the old one after it.
struct VolumeRewriting: ~Copyable {
  /// Blocks of 4096 bytes in one request: 64 MiB, so that a cancel never waits long.
  private static let stretch: UInt32 = 16_384

  private let storage: Channel
  private let catalog: any CatalogStore
  private let records: [[UInt8]]
  private let sessions: [[UInt8]]
  private let cancel: CancelSignal
  private let progress: (UInt64) -> Void
  private var byteCount: UInt64 = 0

  /// - Parameter progress: called with the bytes of volumes that are dealt with.
  init(
    storage: Channel, catalog: any CatalogStore, cancel: CancelSignal, progress: @escaping (UInt64) -> Void
  ) throws {
    let (marks, sessions) = (try catalog.retentionMarks(), try catalog.neededSessions())
    self.storage = storage
    self.catalog = catalog
    records = marks.records
    self.sessions = sessions.frames
    self.cancel = cancel
    self.progress = progress
  }

  /// Rewrites a volume.
  ///
  /// - Returns: the new one; nil when it would be no smaller, and the old one stays.
  /// - Throws: `PeerRefusal` when the storage daemon could not; the old volume is as it was.
  mutating func rewrite(_ volume: Volume) throws -> Volume? {
    try begin(volume)
    do {
      try catalog.beginMoving()
      var next: UInt32 = 0
      while next < volume.end.block {
        if cancel.isSet { throw DirectorError.compactionInterrupted }
        let to = min(volume.end.block, next > UInt32.max - Self.stretch ? volume.end.block : next + Self.stretch)
        try copy(volume, next..<to)
        byteCount += UInt64(to - next) * 4096
        progress(byteCount)
        next = to
      }
      if cancel.isSet { throw DirectorError.compactionInterrupted }
    } catch {
      // The storage daemon gives up by itself when it refused, or when the connection ends.
      if !(error is PeerRefusal), !(error is TransportError) { _ = try? request(ControlLine("rewrite cancel")) }
      throw error
    }
    guard let new = try end() else { return nil }
    // Where this fails nobody knows whether it happened: both volumes stay, and the next start looks what the catalog says.
    try catalog.replaceVolume(volume.identifier, by: new)
    try storage.sendLineBlocking(ControlLine("purge"))
    try send(.listing, VolumeList.encode([volume]))
    _ = try receiveReply()
    try catalog.finishFreeing()
    return new
  }

  private func begin(_ volume: Volume) throws {
    var line = ControlLine("rewrite volume", words: [ByteString(volume.identifier.text)])
    line.set("records", records.count)
    line.set("session-frames", sessions.count)
    try storage.sendLineBlocking(line)
    for record in records { try send(.jobRecord, record) }
    for frame in sessions { try send(.neededSessions, frame) }
    _ = try receiveReply()
  }

  /// Has the needed groups of a stretch copied, and notes where they lie now.
  private func copy(_ volume: Volume, _ blocks: Range<UInt32>) throws {
    let needed = try catalog.neededGroups(on: volume.identifier, blocks: blocks)
    let perFrame = LocationCodec.groupsPerFrame
    let starts = Array(stride(from: 0, to: needed.count, by: perFrame))
    var line = ControlLine("rewrite blocks")
    line.set("to", blocks.upperBound)
    line.set("frames", starts.count)
    try storage.sendLineBlocking(line)
    for start in starts {
      var writer = ByteWriter()
      for group in needed[start..<min(start + perFrame, needed.count)] { LocationCodec.write(group, to: &writer) }
      try send(.neededGroups, writer.array)
    }
    let count: UInt32 = try receiveReply().line.integer("frames")
    for _ in 0..<count {
      let header = try storage.receiveFrameHeader()
      guard header.kind == .movedGroups else {
        throw TransportError(
          .malformed("a frame of kind \(header.kind) where moved groups belong"), peer: storage.transport.peer)
      }
      var payload = [UInt8](repeating: 0, count: header.payloadLength)
      try payload.withUnsafeMutableBytes { try storage.receive(into: $0) }
      let moved = try payload.withUnsafeBytes { try LocationCodec.movedGroups($0) }
      try catalog.noteMoved(moved.groups, of: moved.session)
    }
  }

  private func end() throws -> Volume? {
    let reply = try request(ControlLine("rewrite end"))
    guard let bytes = reply.line["volume"]?.bytes else { return nil }
    return try bytes.withUnsafeBytes { try VolumeList.decode($0) }.first
  }

  // MARK: The conversation

  private func send(_ kind: FrameKind, _ payload: [UInt8]) throws {
    try payload.withUnsafeBytes { try storage.sendFrameBlocking(kind, $0) }
  }

  private func request(_ line: ControlLine) throws -> Reply {
    try storage.sendLineBlocking(line)
    return try receiveReply()
  }

  private func receiveReply() throws -> Reply {
    let reply = try Reply(try storage.receiveLineBlocking())
    guard reply.code == .storageOK else { throw PeerRefusal(reply) }
    return reply
  }
}
