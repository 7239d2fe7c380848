import Testing
import VaultDevice
import VaultModel
import VaultProtocol
import VaultSession

@testable import StorageDaemon

/// What a director says to have a volume rewritten.
@Suite struct RewritingConversationTests {
  /// A session of several groups on the device's first volume, and where they lie.
  private static func fill(_ device: Device) throws -> (volume: Volume, groups: [GroupLocation]) {
    let record = try DeviceControlRecord(
      device: device, session: StorageDaemonFixture.session, attempt: 1, jobRecord: StorageDaemonFixture.jobRecord)
    var groups: [GroupLocation] = []
    for number in 1...40 as ClosedRange<UInt64> {
      let group = try StorageDaemonFixture.group(number)
      let room = try record.reserve(group.count)
      group.withUnsafeBytes { room.copyMemory(from: $0) }
      _ = try record.append(reserved: group.count)
      if number % 4 == 0 { groups += try record.commit().groups }
    }
    _ = try record.endSession(jobEndRecord: StorageDaemonFixture.jobEndRecord)
    return (try #require(device.volumes.first), groups)
  }

  private static func begin(_ control: Channel, _ volume: Volume, sessions: [UniqueIdentifier]) async throws {
    var line = ControlLine("rewrite volume", words: [ByteString(volume.identifier.text)])
    line.set("records", 0)
    line.set("session-frames", 1)
    var frame = ByteWriter()
    for session in sessions { LocationCodec.write(session: session, lastGroup: 40, to: &frame) }
    try await control.request(line, frame: (.neededSessions, frame.array), expecting: .storageOK)
  }

  private static func blocks(
    _ control: Channel, to end: UInt32, _ groups: [BlockGroup]
  ) async throws -> [MovedGroups] {
    var line = ControlLine("rewrite blocks")
    line.set("to", end)
    line.set("frames", 1)
    var frame = ByteWriter()
    for group in groups { LocationCodec.write(group, to: &frame) }
    let reply = try await control.request(line, frame: (.neededGroups, frame.array), expecting: .storageOK)
    var moved: [MovedGroups] = []
    for _ in 0..<(try reply.line.integer("frames", as: UInt32.self)) {
      moved.append(try decode(try await control.expectFrame(.movedGroups)))
    }
    return moved
  }

  @inline(never)
  private static func decode(_ frame: [UInt8]) throws -> MovedGroups {
    let (session, groups) = try frame.withUnsafeBytes { try LocationCodec.movedGroups($0) }
    return MovedGroups(session: session, groups: groups)
  }

  @Test func nothingIsNeeded() async throws {
    let fixture = try StorageDaemonFixture()
    let (volume, _) = try Self.fill(fixture.device)
    try await fixture.run {
      let control = try await fixture.dial(.director)
      try await Self.begin(control, volume, sessions: [])
      #expect(fixture.device.volumes.map(\.status) == [.full], "nothing more is appended to it")
      #expect(try await Self.blocks(control, to: volume.end.block, []).isEmpty)
      let reply = try await control.request(ControlLine("rewrite end"), expecting: .storageOK)
      let new = try #require(
        try reply.line["volume"]?.bytes.withUnsafeBytes { try VolumeList.decode($0) }.first)
      #expect(new.name == "vol-0002" && new.end.block == 2 && new.status == .append)
      #expect(try fixture.device.volumeNames() == ["vol-0001", "vol-0002"], "the old one waits to be purged")
      #expect(try await control.refusal("rewrite end") == .storageRefused)
    }
  }

  @Test func stretchByStretch() async throws {
    let fixture = try StorageDaemonFixture()
    let (volume, groups) = try Self.fill(fixture.device)
    try await fixture.run {
      let control = try await fixture.dial(.director)
      try await Self.begin(control, volume, sessions: [StorageDaemonFixture.session])
      var moved: [MovedGroups] = []
      for from in stride(from: 0, to: volume.end.block, by: 3) {
        let here = groups.filter { (from..<from + 3).contains($0.block.block) }
          .map { BlockGroup(block: $0.block.block, group: $0.group) }
        moved += try await Self.blocks(control, to: min(from + 3, volume.end.block), here)
      }
      #expect(moved.flatMap(\.groups).map(\.group) == Array(1...40))
      #expect(moved.allSatisfy { $0.session == StorageDaemonFixture.session })
      // All of it was needed: there is nothing to gain.
      #expect(try await control.request(ControlLine("rewrite end"), expecting: .storageOK).line["volume"] == nil)
      #expect(try fixture.device.volumeNames() == ["vol-0001"] && fixture.device.volumes == [volume])
    }
  }

  @Test func itIsGivenUp() async throws {
    let fixture = try StorageDaemonFixture()
    let (volume, groups) = try Self.fill(fixture.device)
    try await fixture.run {
      let control = try await fixture.dial(.director)
      try await Self.begin(control, volume, sessions: [])
      try await control.request(ControlLine("rewrite cancel"), expecting: .storageOK)
      #expect(try fixture.device.volumeNames() == ["vol-0001"] && fixture.device.volumes == [volume])
      // After a refusal, too.
      try await Self.begin(control, volume, sessions: [])
      let wrong = BlockGroup(block: groups[0].block.block, group: 99)
      await #expect(throws: PeerRefusal.self) { try await Self.blocks(control, to: volume.end.block, [wrong]) }
      #expect(try fixture.device.volumeNames() == ["vol-0001"] && fixture.device.volumes == [volume])
      await #expect(throws: PeerRefusal.self, "out of turn") {
        try await Self.blocks(control, to: volume.end.block, [])
      }
      // One at a time; and whoever goes takes it along.
      try await Self.begin(control, volume, sessions: [])
      await #expect(throws: PeerRefusal.self) { try await Self.begin(control, volume, sessions: []) }
      control.close()
    }
    // The daemon has ended, and with it every conversation.
    #expect(try fixture.device.volumeNames() == ["vol-0001"] && fixture.device.volumes == [volume])
  }
}
