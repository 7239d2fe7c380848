import VaultModel
import VaultProtocol
import VaultSession

/// One batch of a restore's plan: entries with their directories, and where the groups lie that hold their contents.
struct PlanBatch {
  struct Row {
    /// The absolute path of the entry's directory as it was saved.
    var saved: ByteString
    /// Where that lies below the target.
    var directory: ByteString
    var entry: Entry
    /// Whether it is a directory that only leads to what was selected.
    var leadsOnly = false
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
final class RestorePlan {
  private let director: Channel
  private let strippedCount: Int
  private var owners: OwnerNumbers

  /// - Parameter strippedCount: leading components that every path loses; entries with no more are passed over.
  init(director: Channel, owners: OwnerNumbers, strippedCount: Int = 0) {
    self.director = director
    self.owners = owners
    self.strippedCount = strippedCount
  }

  /// Goes through all batches of a pass.
  func forEachBatch(ofPass pass: UInt8, _ body: (PlanBatch) throws -> Void) throws {
    try request(pass)
    while let batch = try receive() {
      try request(pass)
      try body(batch)
    }
  }

  private func request(_ pass: UInt8) throws {
    try withUnsafeBytes(of: pass) { try director.sendFrameBlocking(.planRequest, $0) }
  }

  private func receive() throws -> PlanBatch? {
    let (kind, payload) = try receiveFrame()
    guard kind == .plan else {
      if kind == .planEnd { return nil }
      throw unexpected(kind)
    }
    var batch = PlanBatch()
    let frameCount = try payload.withUnsafeBytes { bytes in
      var reader = ByteReader(bytes, "plan frame")
      let count: UInt32 = try reader.integer()
      try read(reader.takeRest(), into: &batch)
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

  private func read(_ records: UnsafeRawBufferPointer, into batch: inout PlanBatch) throws {
    var reader = RecordReader(records)
    var saved: ByteString = "/"
    var directory = Self.stripping(strippedCount, from: saved)
    while let record = try reader.next() {
      switch record {
      case .directory(_, let path):
        saved = ByteString(path)
        directory = Self.stripping(strippedCount, from: saved)
      case .ownerName(let kind, let number, let name): owners.learn(kind, number, name)
      case .entry(let index, _, var entry):
        guard let directory else { continue }
        owners.resolve(&entry.attributes)
        batch.rows.append(PlanBatch.Row(saved: saved, directory: directory, entry: entry, leadsOnly: index == 1))
      default: throw FormatError(.malformed, "plan frame")
      }
    }
  }

  /// An absolute path without its first components; nil when it has fewer.
  static func stripping(_ count: Int, from path: ByteString) -> ByteString? {
    if count == 0 { return path }
    let components = path.bytes.split(separator: 0x2f)
    guard components.count >= count else { return nil }
    return ByteString([0x2f] + components[count...].joined(separator: [0x2f]))
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
