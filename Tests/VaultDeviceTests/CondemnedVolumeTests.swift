import SystemPackage
import Testing
import VaultDevice
import VaultModel

/// A failed write, sync or close takes a volume out of use, and every session with uncommitted blocks there.
@Suite struct CondemnedVolumeTests {
  @Test(arguments: [Fault.inputOutput, .lostSync]) func theNextAttemptGoesOntoAnotherVolume(_ fault: Fault) throws {
    // Calls: create, label, sync, start block, first block, sync at the commit, second block, the sync that fails.
    let store = FaultingVolumeStore(failAt: 8, fault)
    let device = Fixture.device(store)
    _ = try device.recover(known: [])
    let driver = try SessionDriver(device, Fixture.sessionA)
    try driver.append(100)
    try driver.commit()
    try driver.append(200)
    #expect(throws: DeviceError(.sessionAborted(.ioError), volume: "vol-0001")) { try driver.commit() }
    #expect(throws: DeviceError(.sessionAborted(.ioError), volume: "vol-0001")) { _ = try driver.record.reserve(200) }
    #expect(device.volumes.map(\.status) == [.error])
    try driver.restart(device)
    try driver.append(300)
    let result = try driver.commit()
    #expect(result.volumes.map(\.status) == [.error, .append], "the commit tells the catalog of the failed volume too")
    #expect(result.volumes.map(\.end.block) == [3, 3])
    try driver.end()
    for commit in driver.acknowledged {
      for location in commit.result.groups {
        #expect(try device.checksum(at: location) == commit.contents[location.group])
      }
    }
    // The second commit of attempt 1 may be whole on the failed volume: attempt 2 made it void.
    let session = try #require(device.scanAll().sessions.first)
    #expect(session.commits.map(\.attempt) == [1, 2])
    #expect(session.commits.map(\.groups) == driver.acknowledged.map(\.result.groups))
    try device.close()
    let later = Fixture.device(store.base, identifiersFrom: 100)
    let report = try later.recover(known: device.volumes)
    #expect(report.sessions.isEmpty)
    #expect(report.cuts.isEmpty, "a failed volume is not cut")
    let again = try later.recover(known: report.volumes)
    #expect(again.isClean)
  }

  @Test(arguments: [FaultingVolumeStore.Call.write, .synchronize])
  func otherSessionsOnTheVolumeAreAborted(_ call: FaultingVolumeStore.Call) throws {
    let store = FaultingVolumeStore()
    let device = Fixture.device(store)
    _ = try device.recover(known: [])
    let a = try SessionDriver(device, Fixture.sessionA)
    let b = try SessionDriver(device, Fixture.sessionB)
    for driver in [a, b] {
      try driver.append(10)
      try driver.commit()
    }
    try b.append(15_000)
    try b.append(15_000)
    try b.record.waitUntilWritten()
    // B has a block on the volume that no commit covers; A meets the fault.
    store.arm(call)
    try a.append(10)
    let failure = DeviceError(.sessionAborted(.ioError), volume: "vol-0001")
    #expect(throws: failure) { try a.commit() }
    #expect(throws: failure) { try b.commit() }
    #expect(device.volumes.first?.status == .error)
    for driver in [a, b] {
      try driver.restart(device)
      try driver.append(5)
      try driver.commit()
      #expect(driver.acknowledged.map(\.result.number) == [1, 2])
    }
    #expect(device.volumes.map(\.status) == [.error, .append])
  }

  @Test func sessionsWithoutUncommittedBlocksGoOn() throws {
    let store = FaultingVolumeStore()
    let device = Fixture.device(store)
    _ = try device.recover(known: [])
    let a = try SessionDriver(device, Fixture.sessionA)
    let b = try SessionDriver(device, Fixture.sessionB)
    for driver in [a, b] {
      try driver.append(10)
      try driver.commit()
    }
    store.arm(.write)
    try a.append(10)
    #expect(throws: DeviceError.self) { try a.commit() }
    try b.append(10)
    let result = try b.commit()
    #expect(result.number == 2)
    #expect(result.volumes.map(\.name) == ["vol-0001", "vol-0002"])
    #expect(result.volumes.map(\.status) == [.error, .append])
  }

  @Test func aFailedCloseCostsOnlyTheVolume() throws {
    // A volume that is full is closed after its last sync; everything acknowledged stays.
    let store = FaultingVolumeStore()
    let probe = Fixture.device(store, volumeSize: 48 << 10)
    _ = try probe.recover(known: [])
    let first = try SessionDriver(probe, Fixture.sessionA)
    for _ in 0..<5 { try first.append(12_000) }
    try first.commit()
    let closeAt = try #require(store.calls.firstIndex(of: .close)) + 1
    let failing = FaultingVolumeStore(failAt: closeAt, .inputOutput)
    let device = Fixture.device(failing, volumeSize: 48 << 10)
    _ = try device.recover(known: [])
    let driver = try SessionDriver(device, Fixture.sessionA)
    for _ in 0..<5 { try driver.append(12_000) }
    let result = try driver.commit()
    #expect(device.volumes.contains { $0.status == .error })
    for location in result.groups {
      #expect(try device.checksum(at: location) == driver.acknowledged[0].contents[location.group])
    }
    try driver.append(10)
    try driver.commit()
  }
}
