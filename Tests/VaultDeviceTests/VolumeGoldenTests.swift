import Testing
import VaultDevice
import VaultModel
import VaultProtocol

@Suite struct VolumeGoldenTests {
  private static func payload(_ block: [UInt8]) -> [UInt8] { Array(block[BlockHeader.byteCount...]) }

  private static func groups(_ block: [UInt8]) throws -> [[UInt8]] {
    try payload(block).withUnsafeBytes { bytes in
      var groups: [[UInt8]] = []
      var offset = 0
      var sequence = GroupSequence(bytes)
      while let group = try sequence.next() {
        groups.append(Array(bytes[offset..<offset + group.header.totalByteCount]))
        offset += group.header.totalByteCount
      }
      return groups
    }
  }

  @Test func writesTheGoldenVolume() throws {
    let store = MemoryVolumeStore()
    let device = Device(
      store: store, parameters: DeviceParameters(repository: Fixture.repository), clock: StoppedClock(),
      random: { Fixture.volume })
    #expect(try device.recover(known: []).isClean)
    let record = try DeviceControlRecord(
      device: device, session: Fixture.sessionA, attempt: 1, jobRecord: Self.payload(GoldenVolume.start))
    for group in try Self.groups(GoldenVolume.groups).dropLast() { try record.append(group) }
    let result = try record.commit()
    #expect(result.number == 1)
    #expect(result.groups.map(\.group) == [1, 2])
    #expect(result.groups.map(\.kind) == [.data, .attributes])
    #expect(result.groups.allSatisfy { $0.block == BlockAddress(block: 2) && $0.volume == Fixture.volume })
    let volumes = try record.endSession(jobEndRecord: Self.payload(GoldenVolume.end))
    #expect(volumes.map(\.end) == [BlockAddress(block: 4)])
    try device.close()
    let golden = GoldenVolume.volume([
      GoldenVolume.label, GoldenVolume.start, GoldenVolume.groups, GoldenVolume.end,
    ])
    #expect(store.bytes(of: "vol-0001") == golden)
  }

  private static func interleavedDevice() -> Device {
    let store = MemoryVolumeStore()
    store.put("vol-0001", GoldenVolume.volume(GoldenVolume.interleaved))
    return Device(store: store, parameters: DeviceParameters(repository: Fixture.repository), clock: StoppedClock())
  }

  /// Sessions A and B as the golden volume holds them.
  private static func checkSessions(_ sessions: [RecoveredSession]) throws {
    let a = try #require(sessions.first { $0.session == Fixture.sessionA })
    let b = try #require(sessions.first { $0.session == Fixture.sessionB })
    #expect(sessions.count == 2)
    #expect(a.job?.paths == ["/etc"])
    #expect(a.commits.map(\.number) == [1, 2])
    #expect(a.commits.map(\.attempt) == [1, 2])
    #expect(a.commits.map { $0.groups.map(\.group) } == [[1, 2], [3]])
    #expect(a.commits.map { $0.groups.map(\.block.block) } == [[3, 5], [8]])
    #expect(a.commits.allSatisfy { $0.isWhole && $0.missing.isEmpty })
    #expect(a.commits.map { $0.volumes.map(\.end.block) } == [[6], [9]])
    #expect(a.outcome?.status == .terminated)
    #expect(a.highestAttempt == 2)
    #expect(a.state.nextGroup == 4)
    #expect(a.state.nextCommit == 3)
    #expect(b.job?.number == 2)
    #expect(b.commits.map { $0.groups.map(\.block.block) } == [[4]])
    #expect(b.outcome == nil)
    #expect(b.state.nextGroup == 2)
  }

  @Test func scansInterleavedSessionsAndSkipsDeadBlocks() throws {
    let report = try Self.interleavedDevice().scanAll()
    #expect(report.damage.isEmpty)
    #expect(report.volumes.map(\.end.block) == [10])
    #expect(report.volumes.map(\.status) == [.append])
    #expect(report.labels.map(\.record.name) == ["vol-0001"])
    try Self.checkSessions(report.sessions)
  }

  @Test func recoversInterleavedSessions() throws {
    let device = Self.interleavedDevice()
    let report = try device.recover(known: [])
    #expect(report.damage.isEmpty)
    #expect(report.cuts.isEmpty)
    try Self.checkSessions(report.sessions)
    // The dead group is on the volume; a location made up for it shows that it can be read, and that nothing refers to it.
    let dead = GroupLocation(
      group: 3, kind: .data, firstEntry: 3, firstOffset: 0, volume: Fixture.volume, block: BlockAddress(block: 6),
      storedLength: 0, rawLength: 0)
    let alive = try #require(report.sessions.first { $0.session == Fixture.sessionA }?.commits.last?.groups.first)
    #expect(try device.content(at: dead) == Array("dead".utf8))
    #expect(try device.content(at: alive) == Array("alive".utf8))
  }

  /// A group with an unknown critical record lies on the volume as it came: nothing but its reader refuses it.
  @Test func storesWhatItDoesNotUnderstand() throws {
    let store = MemoryVolumeStore()
    let device = Fixture.device(store)
    let record = try DeviceControlRecord(
      device: device, session: Fixture.sessionA, attempt: 1, jobRecord: Fixture.jobRecord(Fixture.sessionA))
    let unknown: [UInt8] = [99, 0, 1, 0, 2, 0, 0, 0, 1, 2]
    var group = [UInt8](repeating: 0, count: GroupHeader.byteCount + unknown.count)
    let position = GroupEncoder.Position(
      kind: .attributes, flags: 0, session: Fixture.sessionA, attempt: 1, firstEntry: 1, firstOffset: 0)
    _ = try group.withUnsafeMutableBytes { output in
      try unknown.withUnsafeBytes {
        try GroupEncoder.plain.encode($0, recordCount: 1, position, number: 1, into: output)
      }
    }
    try record.append(group)
    let location = try #require(try record.commit().groups.first)
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 16 << 10, alignment: 4096)
    defer { buffer.deallocate() }
    let view = try device.readGroup(location, into: buffer)
    #expect(Array(view.stored) == unknown)
    #expect(throws: FormatError(.unknownCritical(99), "record")) {
      var records = RecordReader(view.stored)
      while try records.next() != nil {}
    }
  }
}
