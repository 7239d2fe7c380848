import VaultModel
import VaultProtocol
import VaultSession

/// One batch of a restore's plan: entries with their directories, and where the groups lie that hold their contents.
struct PlanBatch {
  struct Row {
    /// The stored absolute path of the entry's directory.
    var directory: ByteString
    var entry: Entry
  }

  var rows: [Row] = []
  /// In the order of the rows' contents: groups of one session after another's.
  var locations: [SessionLocations] = []
  /// Where the rows' extended attributes are, in order.
  var extendedLocations: [SessionLocations] = []

  struct SessionLocations {
    var session: UniqueIdentifier
    var locations: [GroupLocation]
  }
}

/// Asks the director for the plan, one batch ahead. Blocks its thread.
struct RestorePlan: ~Copyable {
  private let director: Channel
  private var owners: OwnerNumbers

  init(director: Channel, owners: OwnerNumbers) {
    self.director = director
    self.owners = owners
  }

  /// Goes through all batches of a pass.
  mutating func forEachBatch(ofPass pass: UInt8, _ body: (PlanBatch) throws -> Void) throws {
    try request(pass)
    while let batch = try receive() {
      try request(pass)
      try body(batch)
    }
  }

  private func request(_ pass: UInt8) throws {
    try withUnsafeBytes(of: pass) { try director.sendFrameBlocking(.planRequest, $0) }
  }

  private mutating func receive() throws -> PlanBatch? {
    let (kind, payload) = try receiveFrame()
    guard kind == .plan else {
      if kind == .planEnd { return nil }
      throw unexpected(kind)
    }
    var batch = PlanBatch()
    let frameCount = try payload.withUnsafeBytes { bytes in
      var reader = ByteReader(bytes, "plan frame")
      let count: UInt32 = try reader.integer()
      try Self.read(reader.takeRest(), into: &batch, &owners)
      return count
    }
    for _ in 0..<frameCount {
      let (kind, payload) = try receiveFrame()
      guard kind == .planLocations else { throw unexpected(kind) }
      let found = try payload.withUnsafeBytes { bytes in
        var reader = ByteReader(bytes, "plan locations frame")
        let session = try reader.identifier()
        return PlanBatch.SessionLocations(
          session: session, locations: try LocationCodec.locations(reader.takeRest()))
      }
      if found.locations.first?.kind == .attributes {
        Self.append(found, to: &batch.extendedLocations)
      } else {
        Self.append(found, to: &batch.locations)
      }
    }
    return batch
  }

  /// A session's groups may come in several frames.
  private static func append(_ found: PlanBatch.SessionLocations, to runs: inout [PlanBatch.SessionLocations]) {
    if runs.last?.session == found.session {
      runs[runs.count - 1].locations += found.locations
    } else {
      runs.append(found)
    }
  }

  private static func read(
    _ records: UnsafeRawBufferPointer, into batch: inout PlanBatch, _ owners: inout OwnerNumbers
  ) throws {
    var reader = RecordReader(records)
    var directory: ByteString = "/"
    while let record = try reader.next() {
      switch record {
      case .directory(_, let path): directory = ByteString(path)
      case .ownerName(let kind, let number, let name): owners.learn(kind, number, name)
      case .entry(_, _, var entry):
        owners.resolve(&entry.attributes)
        batch.rows.append(PlanBatch.Row(directory: directory, entry: entry))
      default: throw FormatError(.malformed, "plan frame")
      }
    }
  }

  private func receiveFrame() throws -> (FrameKind, [UInt8]) {
    let header = try director.receiveFrameHeader()
    var payload = [UInt8](repeating: 0, count: header.payloadLength)
    try payload.withUnsafeMutableBytes { try director.receive(into: $0) }
    return (header.kind, payload)
  }

  private func unexpected(_ kind: FrameKind) -> TransportError {
    TransportError(.malformed("a frame of kind \(kind) in a plan"), peer: director.transport.peer)
  }
}
