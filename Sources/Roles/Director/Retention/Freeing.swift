import VaultCatalog
import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

/// Gives back the room of dropped jobs: volumes that nothing needs go.
///
/// Every step may be the last before a crash, and the next start goes on: the catalog drops jobs first; then the volumes
/// say so themselves; then the catalog calls volumes purged; then their files go; then the catalog forgets them.
struct Freeing: Sendable {
  let director: Director

  /// - Returns: the volumes that went.
  func run() async throws -> [Volume] {
    let catalog = director.catalog
    let (candidates, sessions, marks) = try await onThread(name: "vault-catalog") {
      (try catalog.unneededVolumes(), try catalog.neededSessions(), try catalog.retentionMarks())
    }
    let storage = try await director.diallers.storage()
    defer { storage.close() }
    let (changed, free) = try await retain(storage, candidates, sessions, marks)
    try await onThread(name: "vault-catalog") { try catalog.purgeVolumes(free.map(\.identifier), recording: changed) }
    if !free.isEmpty {
      try await storage.request(ControlLine("purge"), frame: (.listing, VolumeList.encode(free)), expecting: .storageOK)
    }
    try await onThread(name: "vault-catalog") { try catalog.finishFreeing() }
    return free
  }

  private func retain(
    _ storage: Channel, _ candidates: [Volume], _ sessions: [NeededSession], _ marks: RetentionMarks
  ) async throws -> (changed: [Volume], free: [Volume]) {
    let records = marks.records
    let frames = sessions.frames
    var line = ControlLine("retain")
    line.set("records", records.count)
    line.set("session-frames", frames.count)
    try await storage.sendLine(line)
    try await storage.sendFrame(.listing, VolumeList.encode(candidates))
    for record in records { try await storage.sendFrame(.jobRecord, record) }
    for frame in frames { try await storage.sendFrame(.neededSessions, frame) }
    guard let answer = try await storage.receiveLine() else {
      throw TransportError(.closed, peer: storage.transport.peer)
    }
    let reply = try Reply(answer)
    guard reply.code == .storageOK else { throw PeerRefusal(reply) }
    return (try await Self.volumes(storage), try await Self.volumes(storage))
  }

  private static func volumes(_ storage: Channel) async throws -> [Volume] {
    let frame = try await storage.receiveFrame()
    guard frame.kind == .listing else {
      throw TransportError(
        .malformed("a frame of kind \(frame.kind) where volumes belong"), peer: storage.transport.peer)
    }
    return try frame.payload.withUnsafeBytes { try VolumeList.decode($0) }
  }
}
