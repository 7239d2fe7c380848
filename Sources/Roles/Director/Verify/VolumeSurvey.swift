import VaultCatalog
import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

/// Compares every volume with what the catalog says of it, stretch by stretch, through the storage daemon. Blocks its thread.
struct VolumeSurvey: ~Copyable {
  /// Blocks of 4096 bytes in one request: 64 MiB, so that a cancel never waits long.
  private static let stretch: UInt32 = 16_384

  private let storage: Channel
  private let catalog: any CatalogStore
  private let readsData: Bool
  private let progress: (UInt64, UInt64) -> Void
  private(set) var damage = DamageList()
  private(set) var notes: [String] = []
  private(set) var volumeCount: UInt64 = 0
  private(set) var blockCount: UInt64 = 0
  private(set) var byteCount: UInt64 = 0

  /// - Parameter progress: called with the bytes examined and the damage met so far.
  init(
    storage: Channel, catalog: any CatalogStore, readsData: Bool, progress: @escaping (UInt64, UInt64) -> Void
  ) {
    self.storage = storage
    self.catalog = catalog
    self.readsData = readsData
    self.progress = progress
  }

  mutating func run() throws {
    let volumes = try catalog.volumes()
    for volume in volumes { try survey(volume) }
    let known = Set(volumes.map(\.name))
    for name in try namesOfVolumes() where !known.contains(name) {
      notes.append("Volume \(name) is not in the catalog; it was not looked at.")
    }
  }

  private mutating func survey(_ volume: Volume) throws {
    let end = volume.end.block
    volumeCount += 1
    if volume.status == .error {
      notes.append("Volume \(volume.name) has the status Error: nothing more is appended to it.")
    }
    var next: UInt32 = 0
    var deadBlocks: UInt64 = 0
    var deadBytes: UInt64 = 0
    while next < end {
      let isFirst = next == 0
      let range = next..<min(end, next > UInt32.max - Self.stretch ? end : next + Self.stretch)
      let reply = try examine(volume, range)
      blockCount += try reply.integer("blocks", as: UInt64.self)
      deadBlocks += try reply.integer("dead-blocks", as: UInt64.self)
      deadBytes += try reply.integer("dead-bytes", as: UInt64.self)
      guard try reply.text("readable") == "yes" else {
        // The first answer counts for all of the volume.
        if range.upperBound < end { try lose(volume, range.upperBound..<end) }
        break
      }
      let size: UInt64 = try reply.integer("size")
      if isFirst, size > UInt64(end) * 4096 {
        notes.append("Volume \(volume.name): \(size - UInt64(end) * 4096) bytes behind its end belong to nothing.")
      }
      let found: UInt32 = try reply.integer("next")
      guard found > next else { throw ControlError(.malformedField("next"), line: reply.verb) }
      byteCount += UInt64(min(found, end) - next) * 4096
      next = found
      progress(byteCount, UInt64(damage.all.count))
    }
    if deadBlocks > 0 {
      notes.append(
        "Volume \(volume.name): \(deadBlocks) blocks (\(deadBytes) bytes) belong to nothing that the catalog knows.")
    }
  }

  /// The rest of a volume that cannot be read shares the fate of its first stretch.
  private mutating func lose(_ volume: Volume, _ blocks: Range<UInt32>) throws {
    guard let reason = damage.all.last?.reason else { return }
    var next = blocks.lowerBound
    while next < blocks.upperBound {
      let end = min(blocks.upperBound, next > UInt32.max - Self.stretch ? blocks.upperBound : next + Self.stretch)
      var lost = Damage(volume: volume.name, blocks: next..<end, reason: reason)
      try Self.cost(of: try catalog.locations(on: volume.identifier, blocks: next..<end), catalog, &lost)
      damage.add(lost)
      next = end
    }
  }

  // MARK: The storage daemon

  private mutating func examine(_ volume: Volume, _ range: Range<UInt32>) throws -> ControlLine {
    let expected = try catalog.locations(on: volume.identifier, blocks: range)
    let frames = Self.frames(expected)
    var line = ControlLine("verify volume", words: [ByteString(volume.identifier.text)])
    line.set("from", range.lowerBound)
    line.set("to", range.upperBound)
    line.set("data", readsData ? "yes" : "no")
    line.set("frames", frames.count)
    try storage.sendLineBlocking(line)
    for frame in frames { try frame.withUnsafeBytes { try storage.sendFrameBlocking(.planLocations, $0) } }
    let reply = try Reply(try storage.receiveLineBlocking())
    guard reply.code == .storageOK else { throw PeerRefusal(reply) }
    while true {
      let (kind, payload) = try receive()
      let line = try ControlLine(payload: payload)
      switch kind {
      case .listing: try take(try DamageLine(line), volume, expected)
      case .jobEnd:
        let end = try Reply(line)
        guard end.code == .storageOK else { throw PeerRefusal(end) }
        return end.line
      default: throw unexpected(kind)
      }
    }
  }

  private func receive() throws -> (FrameKind, [UInt8]) {
    let header = try storage.receiveFrameHeader()
    var payload = [UInt8](repeating: 0, count: header.payloadLength)
    try payload.withUnsafeMutableBytes { try storage.receive(into: $0) }
    return (header.kind, payload)
  }

  private func unexpected(_ kind: FrameKind) -> TransportError {
    TransportError(.malformed("a frame of kind \(kind) in a verification"), peer: storage.transport.peer)
  }

  private func namesOfVolumes() throws -> [String] {
    try storage.sendLineBlocking(ControlLine("list volumes"))
    let reply = try Reply(try storage.receiveLineBlocking())
    guard reply.code == .storageOK else { throw PeerRefusal(reply) }
    var names: [String] = []
    while true {
      let (kind, payload) = try receive()
      switch kind {
      case .listing: if let name = try ControlLine(payload: payload).word(0).text { names.append(name) }
      case .jobEnd: return names
      default: throw unexpected(kind)
      }
    }
  }

  /// Locations as frames, those of one session together.
  private static func frames(_ groups: [PlacedGroup]) -> [[UInt8]] {
    var bySession: [UniqueIdentifier: [GroupLocation]] = [:]
    for group in groups { bySession[group.session, default: []].append(group.location) }
    var frames: [[UInt8]] = []
    for (session, locations) in bySession {
      for start in stride(from: 0, to: locations.count, by: LocationCodec.locationsPerFrame) {
        var writer = ByteWriter(capacity: 64 * 1024)
        writer.identifier(session)
        for location in locations[start..<min(start + LocationCodec.locationsPerFrame, locations.count)] {
          LocationCodec.write(location, to: &writer)
        }
        frames.append(writer.array)
      }
    }
    return frames
  }

  // MARK: What it costs

  private mutating func take(_ line: DamageLine, _ volume: Volume, _ expected: [PlacedGroup]) throws {
    var found = Damage(volume: volume.name, blocks: line.blocks, reason: line.reason)
    if let group = line.group {
      let hit = expected.filter { $0.session == group.session && $0.location.group == group.number }
      try Self.cost(of: hit, catalog, &found)
    } else if !line.isHarmless {
      try Self.cost(of: expected.filter { line.blocks.contains($0.location.block.block) }, catalog, &found)
    }
    damage.add(found)
  }

  /// The contents whose bytes lie in groups.
  private static func cost(of groups: [PlacedGroup], _ catalog: any CatalogStore, _ damage: inout Damage) throws {
    for group in groups {
      guard group.location.kind == .data else {
        damage.attributeGroupCount += 1
        continue
      }
      damage.dataGroupCount += 1
      if let indexes = try catalog.contents(ofGroup: group.location.group, of: group.session) {
        damage.add(group.session, indexes)
      }
    }
  }
}
