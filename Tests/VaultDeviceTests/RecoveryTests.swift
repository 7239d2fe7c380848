import SystemPackage
import Testing
import VaultDevice
import VaultModel
import VaultProtocol

@Suite struct RecoveryTests {
  /// A store with one session of three commits, the last of them unknown to the catalog.
  private struct Setting {
    let store = MemoryVolumeStore()
    let driver: SessionDriver
    /// What the catalog knows after each commit.
    var known: [[Volume]] = []

    init(volumeSize: UInt64 = 1 << 20) throws {
      let device = Fixture.device(store, volumeSize: volumeSize)
      _ = try device.recover(known: [])
      driver = try SessionDriver(device, Fixture.sessionA)
      for _ in 0..<3 {
        for count in [9000, 12_000, 500] { try driver.append(count) }
        try driver.commit()
        known.append(device.volumes)
      }
      driver.record.abort()
      try device.close()
    }

    func device() -> Device { Fixture.device(store, identifiersFrom: 500) }
    func size(_ name: String = "vol-0001") -> Int { store.bytes(of: name)?.count ?? -1 }
  }

  @Test func nothingBeyondTheEndsIsClean() throws {
    let setting = try Setting()
    let report = try setting.device().recover(known: setting.known[2])
    #expect(report.isClean)
    #expect(report.volumes == setting.known[2])
  }

  @Test func commitsBeyondTheEndCount() throws {
    let setting = try Setting()
    let device = setting.device()
    let report = try device.recover(known: setting.known[0])
    #expect(report.damage.isEmpty)
    #expect(report.cuts.isEmpty)
    let session = try #require(report.sessions.first)
    #expect(session.job == Fixture.job(Fixture.sessionA), "though its start block lies below the known end")
    #expect(session.commits.map(\.number) == [2, 3])
    #expect(session.commits.map(\.groups) == setting.driver.acknowledged.dropFirst().map(\.result.groups))
    #expect(session.commits.last?.volumes == setting.known[2])
    #expect(session.state == setting.driver.acknowledged.last?.result.state)
    #expect(report.volumes == setting.known[2])
    #expect(try setting.device().recover(known: report.volumes).isClean)
  }

  @Test func volumesThatTheCatalogDoesNotKnowAreFound() throws {
    let setting = try Setting(volumeSize: 48 << 10)
    #expect(setting.known[2].count > 2)
    for known in [[], setting.known[0], setting.known[1]] {
      let report = try setting.device().recover(known: known)
      #expect(report.volumes == setting.known[2])
      #expect(report.cuts.isEmpty)
    }
  }

  @Test func tornTailsAreCut() throws {
    let setting = try Setting()
    var bytes = try #require(setting.store.bytes(of: "vol-0001"))
    let whole = bytes.count
    bytes += Array(bytes[4096..<8192]) + [UInt8](repeating: 7, count: 5000)
    setting.store.put("vol-0001", bytes)
    let report = try setting.device().recover(known: setting.known[1])
    #expect(report.sessions.first?.commits.map(\.number) == [3])
    #expect(report.cuts == [VolumeCut(volume: "vol-0001", byteCount: 9096, blockCount: 0)])
    #expect(setting.size() == whole)
  }

  @Test func aCommitOfWhichABlockIsTornIsCut() throws {
    let setting = try Setting()
    var bytes = try #require(setting.store.bytes(of: "vol-0001"))
    let group = try #require(setting.driver.acknowledged[2].result.groups.first)
    bytes[Int(group.block.byteOffset) + 3000] ^= 1
    setting.store.put("vol-0001", bytes)
    let known = setting.known[1]
    let report = try setting.device().recover(known: known)
    #expect(report.sessions.isEmpty)
    #expect(report.damage.isEmpty)
    #expect(report.volumes == known)
    #expect(report.cuts.map(\.byteCount) == [UInt64(bytes.count) - known[0].end.byteOffset])
    #expect(UInt64(setting.size()) == known[0].end.byteOffset)
  }

  @Test func damageBeforeAWholeCommitIsNotCut() throws {
    let setting = try Setting()
    var bytes = try #require(setting.store.bytes(of: "vol-0001"))
    let group = try #require(setting.driver.acknowledged[1].result.groups.first)
    bytes[Int(group.block.byteOffset) + 3000] ^= 1
    setting.store.put("vol-0001", bytes)
    let report = try setting.device().recover(known: setting.known[0])
    #expect(report.sessions.isEmpty)
    #expect(report.volumes.map(\.status) == [.error])
    #expect(report.damage == [VolumeDamage(.commit(session: Fixture.sessionA, number: 2), volume: "vol-0001")])
    #expect(setting.size() == bytes.count)
  }

  @Test func theVolumeIsNeverCutBelowTheKnownEnd() throws {
    let setting = try Setting()
    var bytes = try #require(setting.store.bytes(of: "vol-0001"))
    let end = Int(setting.known[2][0].end.byteOffset)
    bytes.replaceSubrange((end - 20_000)..<end, with: repeatElement(0, count: 20_000))
    bytes += [UInt8](repeating: 7, count: 8192)
    setting.store.put("vol-0001", bytes)
    let report = try setting.device().recover(known: setting.known[2])
    #expect(report.volumes.map(\.status) == [.error])
    #expect(report.damage.count == 1)
    #expect(setting.size() == bytes.count)
  }

  @Test func shortAndMissingVolumesAreErrors() throws {
    let setting = try Setting()
    let bytes = try #require(setting.store.bytes(of: "vol-0001"))
    let end = setting.known[2][0].end.byteOffset
    setting.store.put("vol-0001", Array(bytes.dropLast(4096)))
    let short = try setting.device().recover(known: setting.known[2])
    #expect(short.volumes.map(\.status) == [.error])
    #expect(
      short.damage == [
        VolumeDamage(
          .volume(DeviceError(.volumeTruncated(expected: end, found: end - 4096), volume: "vol-0001")),
          volume: "vol-0001")
      ])
    #expect(setting.size() == bytes.count - 4096)
    try setting.store.remove("vol-0001")
    let device = setting.device()
    let missing = try device.recover(known: setting.known[2])
    #expect(missing.volumes.map(\.status) == [.error])
    #expect(
      missing.damage == [VolumeDamage(.volume(DeviceError(.volumeMissing, volume: "vol-0001")), volume: "vol-0001")])
    // The next job goes onto a volume with another name.
    let next = try SessionDriver(device, Fixture.sessionB)
    try next.append(10)
    #expect(try next.commit().volumes.map(\.name) == ["vol-0001", "vol-0002"])
  }

  @Test func filesThatACrashLeftBeforeTheyWereVolumesAreRemoved() throws {
    let setting = try Setting()
    let label = try #require(setting.store.bytes(of: "vol-0001")).prefix(4096)
    let torn = Array(label.prefix(100)) + [UInt8](repeating: 0, count: 3996)
    for (name, bytes) in [("vol-0002", []), ("vol-0003", [UInt8](repeating: 0, count: 4096)), ("vol-0004", torn)] {
      setting.store.put(name, bytes)
    }
    setting.store.put("notes.txt", [1, 2, 3])
    let report = try setting.device().recover(known: setting.known[2])
    #expect(report.removedFiles == ["vol-0002", "vol-0003", "vol-0004"])
    #expect(report.volumes == setting.known[2])
    #expect(try setting.store.names().sorted() == ["notes.txt", "vol-0001"])
  }

  @Test func otherFilesAreLeftAlone() throws {
    let setting = try Setting()
    let bytes = try #require(setting.store.bytes(of: "vol-0001"))
    setting.store.put("vol-0002", [UInt8](repeating: 9, count: 9000))
    setting.store.put("vol-0003", bytes)
    let label = LabelRecord(
      repository: .none, labeled: Timestamp(nanoseconds: 1), maximumBlockSize: 8192, maximumVolumeSize: 1 << 30,
      name: "vol-0004", pool: "", mediaType: "")
    setting.store.put("vol-0004", try #require(VolumeLabel(identifier: .random(), record: label).encoded()))
    let before = try setting.store.names().map { setting.store.bytes(of: $0) }
    let device = setting.device()
    let report = try device.recover(known: setting.known[2])
    #expect(
      report.damage.map(\.kind) == [
        .volume(DeviceError(.damagedLabel, volume: "vol-0002")),
        .volume(
          DeviceError(
            .labelMismatch(found: "vol-0001", foundIdentifier: setting.known[2][0].identifier), volume: "vol-0003")),
        .volume(DeviceError(.volumeForeign, volume: "vol-0004")),
      ])
    #expect(report.volumes == setting.known[2])
    #expect(try setting.store.names().map { setting.store.bytes(of: $0) } == before)
    let next = try SessionDriver(device, Fixture.sessionB)
    try next.append(10)
    #expect(try next.commit().volumes.map(\.name) == ["vol-0001"])
  }

  @Test func swappedVolumesAreNamed() throws {
    let setting = try Setting(volumeSize: 48 << 10)
    let known = setting.known[2]
    let first = try #require(setting.store.bytes(of: "vol-0001"))
    let second = try #require(setting.store.bytes(of: "vol-0002"))
    setting.store.put("vol-0001", second)
    setting.store.put("vol-0002", first)
    let device = setting.device()
    device.open(known: known)
    let error = #expect(throws: DeviceError.self) {
      try device.content(at: setting.driver.acknowledged[0].result.groups[0])
    }
    #expect(error?.kind == .labelMismatch(found: "vol-0002", foundIdentifier: known[1].identifier))
    #expect(error?.exitStatus == .damaged)
    #expect(error?.description.contains("vol-0001") == true)
    #expect(error?.description.contains("vol-0002") == true)
  }

  @Test func aNewerFormatIsRefused() throws {
    let setting = try Setting()
    var bytes = try #require(setting.store.bytes(of: "vol-0001"))
    bytes[4] = 1
    setting.store.put("vol-0001", bytes)
    let error = #expect(throws: DeviceError.self) { try setting.device().recover(known: []) }
    #expect(error?.kind == .newerFormat(1))
    #expect(error?.exitStatus == .usage)
  }

  /// Another session's commit moved the known end over blocks that were committed only later.
  @Test func commitsWhoseBlocksLieBelowTheKnownEndCount() throws {
    let store = FaultingVolumeStore()
    let device = Fixture.device(store)
    _ = try device.recover(known: [])
    let a = try SessionDriver(device, Fixture.sessionA)
    let b = try SessionDriver(device, Fixture.sessionB)
    var known: [Volume] = []
    for round in 0..<3 {
      for _ in 0..<3 { try a.append(9000) }
      // A's first blocks are written before B's commit moves the end over them.
      try a.record.waitUntilWritten()
      try b.append(100)
      known = try b.commit().volumes
      if round < 2 { known = try a.commit().volumes }
    }
    try a.commit()
    try device.close()
    let later = Fixture.device(store.base, identifiersFrom: 100)
    let report = try later.recover(known: known)
    #expect(report.damage.isEmpty)
    let session = try #require(report.sessions.first)
    #expect(report.sessions.count == 1)
    #expect(session.commits.map(\.number) == [3])
    #expect(session.commits.map(\.groups) == [a.acknowledged[2].result.groups])
    let below = a.acknowledged[2].result.groups.filter { $0.block < known[0].end }
    #expect(!below.isEmpty, "otherwise the test shows nothing")
  }

  @Test func endsOfSessionsCount() throws {
    let setting = try Setting()
    let device = setting.device()
    _ = try device.recover(known: setting.known[2])
    try setting.driver.restart(device)
    try setting.driver.end()
    try device.close()
    let later = setting.device()
    let report = try later.recover(known: setting.known[2])
    #expect(report.cuts.isEmpty)
    #expect(report.sessions.map(\.outcome) == [Fixture.outcome])
    #expect(report.sessions.map(\.commits) == [[]])
    #expect(report.sessions.map(\.highestAttempt) == [2])
    #expect(report.volumes[0].end == device.volumes[0].end)
  }
}
