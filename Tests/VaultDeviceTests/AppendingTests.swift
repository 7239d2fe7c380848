import SystemPackage
import Testing
import VaultCrypto
import VaultDevice
import VaultModel
import VaultProtocol

@Suite struct AppendingTests {
  private static func driver(_ device: Device, _ session: UniqueIdentifier = Fixture.sessionA) throws -> SessionDriver {
    _ = try device.recover(known: [])
    return try SessionDriver(device, session)
  }

  private static func check(_ device: Device, _ driver: SessionDriver) throws {
    for commit in driver.acknowledged {
      #expect(commit.result.groups.map(\.group) == commit.contents.keys.sorted())
      for location in commit.result.groups {
        #expect(try device.checksum(at: location) == commit.contents[location.group])
      }
    }
  }

  @Test func commitsAreReadBack() throws {
    let device = Fixture.device(MemoryVolumeStore())
    let driver = try Self.driver(device)
    for count in [1, 5000, 9000, 16000, 100] { try driver.append(count) }
    #expect(driver.record.uncommittedByteCount == 5 * 152 + 30101)
    try driver.commit()
    #expect(driver.record.uncommittedByteCount == 0)
    try driver.append(3)
    try driver.commit()
    try driver.end()
    #expect(driver.acknowledged.map(\.result.number) == [1, 2])
    try Self.check(device, driver)
    #expect(device.volumes.map(\.status) == [.append])
    try device.close()
  }

  /// What is known of where a group begins spares reading its block, and nothing else depends on it.
  @Test func groupsAreReadWithoutTheirBlock() throws {
    let store = FaultingVolumeStore()
    let device = Fixture.device(store)
    let driver = try Self.driver(device)
    for count in [700, 5000, 9000, 1, 2] { try driver.append(count) }
    let commit = try driver.commit()
    #expect(commit.places.count == commit.groups.count)
    let buffer = UnsafeMutableRawBufferPointer.allocate(
      byteCount: DeviceParameters(repository: .none).maximumBlockSize, alignment: 4096)
    defer { buffer.deallocate() }
    for (location, place) in zip(commit.groups, commit.places) {
      let whole = Array(try device.readGroup(location, into: buffer).bytes)
      let before = store.readByteCount
      #expect(Array(try device.readGroup(location, at: place, into: buffer).bytes) == whole)
      #expect(store.readByteCount - before == whole.count)
      // Another group's place, the block's header, and what is behind the volume.
      for wrong in commit.places.map(\.offset).filter({ $0 != place.offset }) + [0, 1 << 30] {
        let wrong = GroupPlace(offset: wrong, digest: place.digest)
        #expect(Array(try device.readGroup(location, at: wrong, into: buffer).bytes) == whole)
      }
      // The group of another time at the same place is not taken for this one.
      let other = GroupPlace(offset: place.offset, digest: Checksum128(high: 1, low: 2))
      let asked = store.readByteCount
      #expect(Array(try device.readGroup(location, at: other, into: buffer).bytes) == whole)
      #expect(store.readByteCount - asked > 2 * whole.count)
    }
  }

  @Test func nothingToCommitWritesNothing() throws {
    let store = FaultingVolumeStore()
    let device = Fixture.device(store)
    let driver = try Self.driver(device)
    #expect(try driver.commit().number == 0)
    try driver.append(10)
    try driver.commit()
    let callCount = store.callCount
    let again = try driver.commit()
    #expect(again.number == 1)
    #expect(again.groups.isEmpty)
    #expect(store.callCount == callCount)
  }

  @Test func committedDataWasSyncedBefore() throws {
    let store = FaultingVolumeStore()
    let device = Fixture.device(store)
    let driver = try Self.driver(device)
    #expect(store.calls == [.create, .write, .synchronize], "the label is synced before anything else is written")
    for _ in 0..<4 { try driver.append(9000) }
    try driver.commit()
    // Session start, four blocks of which the last holds the commit, one sync.
    #expect(store.calls[3...] == [.write, .write, .write, .write, .write, .synchronize])
    var generator = SplitMix(seed: 1)
    let image = Fixture.device(store.base.crashImage(.drop, using: &generator))
    let report = try image.recover(known: device.volumes)
    #expect(report.isClean)
    try Self.check(image, driver)
  }

  @Test func unsyncedDataIsBounded() throws {
    let store = FaultingVolumeStore()
    let device = Fixture.device(store, unsyncedLimit: 32 << 10)
    let driver = try Self.driver(device)
    for _ in 0..<20 { try driver.append(15000) }
    try driver.commit()
    #expect(store.calls.filter { $0 == .synchronize }.count >= 8)
    try Self.check(device, driver)
  }

  @Test func groupsThatDoNotBelongAreRefused() throws {
    let device = Fixture.device(MemoryVolumeStore())
    let driver = try Self.driver(device)
    try driver.append(10)
    let a = Fixture.sessionA
    let cases: [(DeviceError.GroupRefusal, [UInt8])] = [
      (.wrongSession, try Fixture.group(Fixture.sessionB, attempt: 1, number: 2, [1])),
      (.wrongAttempt(expected: 1, found: 2), try Fixture.group(a, attempt: 2, number: 2, [1])),
      (.wrongNumber(expected: 2, found: 3), try Fixture.group(a, attempt: 1, number: 3, [1])),
      (.wrongNumber(expected: 2, found: 1), try Fixture.group(a, attempt: 1, number: 1, [1])),
      (.wrongKind, try Fixture.group(a, attempt: 1, number: 0, [1], kind: .commit)),
      (.wrongLength, try Fixture.group(a, attempt: 1, number: 2, [1]) + [0]),
      (.wrongLength, [1, 2, 3]), (.tooLong, [UInt8](repeating: 0, count: 17 << 10)),
    ]
    for (refusal, group) in cases {
      #expect(throws: DeviceError(.groupRefused(refusal))) { try driver.record.append(group) }
    }
    var damaged = try Fixture.group(a, attempt: 1, number: 2, [1])
    damaged[damaged.count - 1] ^= 1
    #expect(throws: DeviceError(.groupRefused(.malformed(FormatError(.checksumMismatch, "record group"))))) {
      try driver.record.append(damaged)
    }
    #expect(throws: DeviceError(.groupRefused(.wrongLength)), "nothing is reserved") {
      try driver.record.append(reserved: 200)
    }
    // None of it did any harm.
    try driver.append(20)
    try driver.commit()
    try Self.check(device, driver)
  }

  @Test func jobRecordsThatDoNotFitAreRefused() throws {
    let device = Fixture.device(MemoryVolumeStore())
    _ = try device.recover(known: [])
    #expect(throws: DeviceError(.groupRefused(.tooLong))) {
      _ = try DeviceControlRecord(
        device: device, session: Fixture.sessionA, attempt: 1, jobRecord: [UInt8](repeating: 0, count: 20_000))
    }
  }

  @Test func aSessionEndsOnlyWhenCommitted() throws {
    let device = Fixture.device(MemoryVolumeStore())
    let driver = try Self.driver(device)
    try driver.append(10)
    #expect(throws: DeviceError(.uncommittedGroups)) { try driver.end() }
    try driver.commit()
    try driver.end()
    #expect(throws: DeviceError(.closed)) { try driver.record.commit() }
    #expect(throws: DeviceError(.closed)) { _ = try driver.record.reserve(200) }
  }

  @Test func anAbortedSessionGoesOnInANewAttempt() throws {
    let device = Fixture.device(MemoryVolumeStore())
    let driver = try Self.driver(device)
    for _ in 0..<3 { try driver.append(9000) }
    try driver.commit()
    for _ in 0..<5 { try driver.append(9000) }
    driver.record.abort()
    #expect(throws: DeviceError(.sessionAborted(nil))) { try driver.record.commit() }
    try driver.restart(device)
    try driver.append(123)
    try driver.commit()
    try driver.end()
    try Self.check(device, driver)
    let session = try #require(device.scanAll().sessions.first)
    #expect(session.commits.map(\.attempt) == [1, 2])
    #expect(session.commits.map { $0.groups.map(\.group) } == [[1, 2, 3], [4]])
    #expect(session.highestAttempt == 2)
    #expect(session.state == driver.acknowledged.last?.result.state)
  }

  @Test func sessionsInterleave() throws {
    let device = Fixture.device(MemoryVolumeStore(), volumeSize: 128 << 10)
    let a = try Self.driver(device)
    let b = try SessionDriver(device, Fixture.sessionB)
    var generator = SplitMix(seed: 11)
    for step in 0..<60 {
      let driver = Bool.random(using: &generator) ? a : b
      try driver.append(Int.random(in: 1...15000, using: &generator))
      if step % 7 == 0 { try driver.commit() }
    }
    for driver in [a, b] {
      try driver.commit()
      try driver.end()
      try Self.check(device, driver)
    }
    #expect(device.volumes.count > 2)
    #expect(device.volumes.dropLast().allSatisfy { $0.status == .full })
    let report = try device.scanAll()
    #expect(report.damage.isEmpty)
    #expect(Set(report.sessions.map(\.session)) == [Fixture.sessionA, Fixture.sessionB])
    for session in report.sessions {
      let driver = session.session == Fixture.sessionA ? a : b
      #expect(session.commits.map(\.groups) == driver.acknowledged.map(\.result.groups))
    }
    #expect(report.volumes.map(\.end) == device.volumes.map(\.end))
  }
}
