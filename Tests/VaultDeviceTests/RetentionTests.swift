import Testing
import VaultDevice
import VaultModel
import VaultProtocol

/// Volumes that go, and what is written down before.
@Suite struct RetentionTests {
  private static let retention = RetentionRecord(
    lastNumber: 9,
    retention: TreeRetention(tree: Tree(host: "h", name: "t"), firstKept: 3, dropped: [4], undone: [5]))

  private static var record: [UInt8] {
    var writer = RecordWriter()
    writer.retention(retention)
    return Array(writer.bytes)
  }

  /// A session over several small volumes.
  private static func store() throws -> (MemoryVolumeStore, Device, SessionDriver) {
    let store = MemoryVolumeStore()
    let device = Fixture.device(store, volumeSize: 48 << 10)
    _ = try device.recover(known: [])
    let driver = try SessionDriver(device, Fixture.sessionA)
    for _ in 0..<4 {
      for count in [7000, 7000, 7000] { try driver.append(count) }
      try driver.commit()
    }
    _ = try driver.end()
    return (store, device, driver)
  }

  @Test func volumesOfNobodyGo() throws {
    let (store, device, _) = try Self.store()
    let all = device.volumes
    #expect(all.count > 2)
    let result = try device.retain([Self.record], giveUp: all, needed: [:])
    #expect(result.free.map(\.identifier) == all.map(\.identifier))
    let written = try #require(result.changed.last)
    #expect(!all.contains { $0.identifier == written.identifier }, "the record is on a volume that stays")
    try device.purge(result.free)
    #expect(try store.names() == [written.name])
    #expect(device.volumes == [written])
    #expect(try device.scanAll().retention == [Self.retention])
    #expect(try device.scanAll().damage.isEmpty)
    try device.close()
    let again = Fixture.device(store, identifiersFrom: 900)
    let report = try again.recover(known: [written])
    #expect(report.isClean)
    // What comes next is appended behind the record.
    let next = try SessionDriver(again, Fixture.sessionB)
    try next.append(100)
    _ = try next.commit()
    #expect(try again.scanAll().retention == [Self.retention])
    try again.close()
  }

  @Test func whatTellsANeededSessionStays() throws {
    let (_, device, driver) = try Self.store()
    let last = try #require(driver.acknowledged.last?.result.groups.last)
    let first = try #require(driver.acknowledged.first?.result.groups.first)
    let result = try device.retain([], giveUp: device.volumes, needed: [Fixture.sessionA: last.group])
    let free = Set(result.free.map(\.identifier))
    #expect(!free.contains(first.volume), "its start is there")
    #expect(!free.contains(last.volume), "its last commit is there")
    #expect(!free.isEmpty, "the volumes between hold nothing but what it saved")
    try device.close()
  }

  @Test func purgedVolumesGoAtTheNextStart() throws {
    let (store, device, _) = try Self.store()
    var known = device.volumes
    try device.close()
    known[0].status = .purged
    let report = try Fixture.device(store, identifiersFrom: 900).recover(known: known)
    #expect(report.isClean)
    #expect(report.volumes == Array(known.dropFirst()))
    #expect(try !store.names().contains(known[0].name))
    // Gone already, it goes again.
    #expect(try Fixture.device(store, identifiersFrom: 900).recover(known: known).isClean)
  }

  @Test func anotherVolumeUnderThePurgedNameStays() throws {
    let (store, device, _) = try Self.store()
    let known = device.volumes
    try device.close()
    var other = known[1]
    other.identifier = UniqueIdentifier(high: 5, low: 5)
    try Fixture.device(store, identifiersFrom: 900).purge([other])
    #expect(try store.names().contains(known[1].name))
  }

  @Test func aRecordThatNoEndCoversIsCut() throws {
    let (store, device, _) = try Self.store()
    let known = device.volumes
    _ = try device.retain([Self.record], giveUp: [], needed: [:])
    try device.close()
    let report = try Fixture.device(store, identifiersFrom: 900).recover(known: known)
    #expect(report.cuts.map(\.blockCount) == [1])
    #expect(report.damage.isEmpty)
    #expect(report.volumes == known)
  }
}
