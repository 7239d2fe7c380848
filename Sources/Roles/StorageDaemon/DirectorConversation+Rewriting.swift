import VaultDevice
import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

// Volumes rewritten for a director: what is needed of them goes onto new ones.
extension DirectorConversation {
  /// Frames that one request may announce.
  private static let frameLimit: UInt32 = 1 << 16

  /// What comes behind a request to rewrite a volume.
  ///
  /// Its calls are never inlined: the optimiser of Swift 6.3.1 fails on them inside the loops of an asynchronous function.
  private struct Order: Sendable {
    let volume: UniqueIdentifier
    let recordCount: UInt32
    let frameCount: UInt32
    var records: [[UInt8]] = []
    var sessions: Set<UniqueIdentifier> = []

    @inline(never)
    init(_ line: ControlLine) throws {
      volume = try DirectorConversation.identifier(line)
      recordCount = try line.integer("records")
      frameCount = try line.integer("session-frames")
    }

    @inline(never)
    mutating func addSessions(_ frame: [UInt8]) throws {
      for needed in try frame.withUnsafeBytes({ try LocationCodec.neededSessions($0) }) {
        sessions.insert(needed.session)
      }
    }

    @inline(never)
    mutating func addRecord(_ bytes: [UInt8]) throws {
      records.append(try DirectorConversation.retentionRecord(bytes))
    }
  }

  func beginRewrite(_ line: ControlLine, _ rewrite: inout VolumeRewrite?) async throws {
    var order = try Order(line)
    for _ in 0..<order.recordCount { try order.addRecord(try await receiveRecord()) }
    for _ in 0..<order.frameCount { try order.addSessions(try await receive(.neededSessions)) }
    guard rewrite == nil else { throw StorageError(.alreadyRewriting) }
    let (device, wanted) = (try device(), order)
    rewrite = try await onThread(name: "vault-device") {
      try device.beginRewrite(of: wanted.volume, recording: wanted.records, needed: wanted.sessions)
    }
    try await channel.sendReply(Reply(.storageOK))
  }

  /// Copies a stretch, and answers with where its groups lie now; a failure ends the rewriting.
  func rewriteBlocks(_ line: ControlLine, _ rewrite: inout VolumeRewrite?) async throws {
    let frameCount: UInt32 = try line.integer("frames")
    let end: UInt32 = try line.integer("to")
    guard frameCount <= Self.frameLimit else { throw ControlError(.malformedField("frames"), line: line.verb) }
    var needed: [BlockGroup] = []
    for _ in 0..<frameCount { needed += try Self.groups(try await receive(.neededGroups)) }
    let (current, groups) = (try Self.open(rewrite), needed)
    let frames: [[UInt8]]
    do {
      frames = try await onThread(name: "vault-device") {
        try current.copy(before: end, needed: groups).flatMap(Self.frames)
      }
    } catch {
      try await cancel(&rewrite)
      throw error
    }
    var reply = Reply(.storageOK)
    reply.line.set("frames", frames.count)
    try await channel.sendReply(reply)
    for frame in frames { try await channel.sendFrame(.movedGroups, frame) }
  }

  func endRewrite(_ rewrite: inout VolumeRewrite?) async throws {
    let current = try Self.open(rewrite)
    let volume: Volume?
    do {
      volume = try await onThread(name: "vault-device") { try current.finish() }
    } catch {
      try await cancel(&rewrite)
      throw error
    }
    rewrite = nil
    var reply = Reply(.storageOK)
    if let volume { reply.line.set("volume", ByteString(VolumeList.encode([volume]))) }
    try await channel.sendReply(reply)
  }

  func cancelRewrite(_ rewrite: inout VolumeRewrite?) async throws {
    try await cancel(&rewrite)
    try await channel.sendReply(Reply(.storageOK))
  }

  private func cancel(_ rewrite: inout VolumeRewrite?) async throws {
    guard let current = rewrite else { return }
    rewrite = nil
    try await onThread(name: "vault-device") { current.abandon() }
  }

  private static func open(_ rewrite: VolumeRewrite?) throws(StorageError) -> VolumeRewrite {
    guard let rewrite else { throw StorageError(.notRewriting) }
    return rewrite
  }

  @inline(never)
  private static func groups(_ frame: [UInt8]) throws -> [BlockGroup] {
    try frame.withUnsafeBytes { try LocationCodec.neededGroups($0) }
  }

  /// Moved groups as payloads of frames.
  private static func frames(_ moved: MovedGroups) -> [[UInt8]] {
    let perFrame = LocationCodec.groupsPerFrame
    return stride(from: 0, to: moved.groups.count, by: perFrame).map { start in
      var writer = ByteWriter()
      writer.identifier(moved.session)
      for group in moved.groups[start..<min(start + perFrame, moved.groups.count)] {
        LocationCodec.write(group, to: &writer)
      }
      return writer.array
    }
  }
}
