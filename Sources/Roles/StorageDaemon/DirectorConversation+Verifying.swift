import VaultDevice
import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

// Volumes examined for a director: what is on them, compared with what it knows.
extension DirectorConversation {
  /// Blocks and locations that one request may name: what keeps its memory and its answer small.
  private static let blockLimit: UInt32 = 1 << 18
  private static let frameLimit: UInt32 = 1 << 18

  /// Examines a stretch of a volume, and answers with what is wrong in it.
  func verifyVolume(_ line: ControlLine) async throws {
    let expected = try await receiveExpected(line)
    let volume = try Self.identifier(line)
    let (from, to): (UInt32, UInt32) = (try line.integer("from"), try line.integer("to"))
    guard from <= to, to - from <= Self.blockLimit else { throw ControlError(.malformedField("to"), line: line.verb) }
    let readsData = try line.text("data") == "yes"
    let (channel, device) = (channel, try device())
    try await channel.sendReply(Reply(.storageOK))
    try await inFrames {
      try await onThread(name: "vault-verify") {
        let (examined, findings) = try device.examine(
          volume: volume, from..<to, expecting: expected, readsData: readsData)
        for finding in findings {
          let damage = DamageLine(
            blocks: finding.blocks, reason: finding.reason.text,
            group: finding.group.map { ($0.session, $0.number) }, isHarmless: finding.isHarmless)
          try damage.line.encoded().withUnsafeBytes { try channel.sendFrameBlocking(.listing, $0) }
        }
        let end = Reply(examined).line.encoded()
        try end.withUnsafeBytes { try channel.sendFrameBlocking(.jobEnd, $0) }
      }
    }
  }

  /// The groups that the director expects, in order of their blocks.
  private func receiveExpected(_ line: ControlLine) async throws -> [PlacedGroup] {
    let count: UInt32 = try line.integer("frames")
    guard count <= Self.frameLimit else { throw ControlError(.malformedField("frames"), line: line.verb) }
    var expected: [PlacedGroup] = []
    for _ in 0..<count {
      let frame = try await channel.receiveFrame()
      guard frame.kind == .planLocations else {
        throw TransportError(
          .malformed("a frame of kind \(frame.kind) where locations belong"), peer: channel.transport.peer)
      }
      try frame.payload.withUnsafeBytes { bytes in
        var reader = ByteReader(bytes, "locations frame")
        let session = try reader.identifier()
        for location in try LocationCodec.locations(reader.takeRest()) {
          expected.append(PlacedGroup(session: session, location: location))
        }
      }
    }
    expected.sort { $0.location.block < $1.location.block }
    return expected
  }

  /// Names everything in the store that is named like a volume.
  func listVolumes() async throws {
    let device = try device()
    let names = try await onThread(name: "vault-device") { try device.volumeNames() }
    try await channel.sendReply(Reply(.storageOK))
    for name in names {
      try await channel.sendFrame(.listing, ControlLine("volume", words: [ByteString(name)]).encoded())
    }
    try await channel.sendFrame(.jobEnd, Reply(.storageOK).line.encoded())
  }
}

extension Reply {
  fileprivate init(_ examined: VolumeExamined) {
    self.init(.storageOK)
    line.set("next", examined.next)
    line.set("blocks", examined.blockCount)
    line.set("dead-blocks", examined.deadBlockCount)
    line.set("dead-bytes", examined.deadByteCount)
    line.set("size", examined.size)
    line.set("readable", examined.isReadable ? "yes" : "no")
  }
}
