import Testing
import VaultDevice
import VaultModel

@Suite struct ReplayTests {
  private static func run(volumeSize: UInt64 = 1 << 20) throws -> (MemoryVolumeStore, Device, SessionDriver) {
    let store = MemoryVolumeStore()
    let device = Fixture.device(store, volumeSize: volumeSize)
    _ = try device.recover(known: [])
    let other = try SessionDriver(device, Fixture.sessionB)
    let driver = try SessionDriver(device, Fixture.sessionA)
    for round in 0..<4 {
      for _ in 0..<3 { try driver.append(9000) }
      try other.append(50)
      try driver.commit()
      try other.commit()
      if round == 1 { try driver.restart(device) }
    }
    return (store, device, driver)
  }

  @Test(arguments: [1 << 20, 64 << 10] as [UInt64]) func commitsAreReplayed(_ volumeSize: UInt64) throws {
    let (store, running, driver) = try Self.run(volumeSize: volumeSize)
    let restarted = Fixture.device(store, identifiersFrom: 900)
    restarted.open(known: running.volumes)
    for device in [running, restarted] {
      for last in 0...4 {
        let hint = last == 0 ? nil : driver.acknowledged[last - 1].result.groups.last
        for hint in [hint, nil] {
          let session = try device.replay(session: driver.session, after: UInt64(last), lastGroup: hint)
          #expect(session.commits.map(\.number) == (UInt64(last)..<4).map { $0 + 1 })
          #expect(session.commits.map(\.groups) == driver.acknowledged[last...].map(\.result.groups))
          #expect(session.state == driver.acknowledged.last?.result.state)
        }
      }
    }
  }

  @Test func statesAreFoundOnTheVolumes() throws {
    let (_, device, driver) = try Self.run(volumeSize: 64 << 10)
    for commit in driver.acknowledged {
      for hint in [commit.result.groups.last, nil] {
        let state = try device.resumeState(of: driver.session, after: commit.result.number, lastGroup: hint)
        #expect(state == commit.result.state)
      }
    }
    #expect(try device.resumeState(of: driver.session, after: 0, lastGroup: nil) == .beginning)
    #expect(throws: DeviceError(.commitNotFound(session: driver.session, number: 9))) {
      try device.resumeState(of: driver.session, after: 9, lastGroup: driver.lastGroup)
    }
    #expect(throws: DeviceError(.commitNotFound(session: driver.session, number: 2))) {
      try device.resumeState(
        of: driver.session, after: 2, lastGroup: driver.acknowledged[1].result.groups.first)
    }
    #expect(throws: DeviceError(.commitNotFound(session: .none, number: 1))) {
      try device.replay(session: .none, after: 1)
    }
  }

  @Test func whatIsNotAcknowledgedIsNotReplayed() throws {
    let (store, running, driver) = try Self.run()
    // A catalog that knows a lower end has not been told of the rest.
    var volumes = running.volumes
    volumes[0].end = driver.acknowledged[1].result.volumes[0].end
    let device = Fixture.device(store, identifiersFrom: 900)
    device.open(known: volumes)
    #expect(try device.replay(session: driver.session, after: 0).commits.map(\.number) == [1, 2])
  }

  @Test func damageIsReportedAndNotReplayed() throws {
    let (store, running, driver) = try Self.run()
    var bytes = try #require(store.bytes(of: "vol-0001"))
    bytes[Int(driver.acknowledged[2].result.groups[0].block.byteOffset) + 500] ^= 1
    store.put("vol-0001", bytes)
    let device = Fixture.device(store, identifiersFrom: 900)
    device.open(known: running.volumes)
    #expect(throws: DeviceError(.damagedCommit(session: driver.session, number: 3), volume: "vol-0001")) {
      try device.replay(session: driver.session, after: 1)
    }
    #expect(throws: DeviceError.self) { try device.content(at: driver.acknowledged[2].result.groups[0]) }
    // The scan takes everything but the damaged block.
    let report = try device.scanAll()
    let session = try #require(report.sessions.first { $0.session == driver.session })
    #expect(session.commits.map(\.isWhole) == [true, true, false, true])
    #expect(session.commits[2].missing == [7...7])
    #expect(session.commits[2].groups == Array(driver.acknowledged[2].result.groups.dropFirst()))
    #expect(report.volumes.map(\.status) == [.error])
    #expect(report.damage.contains(VolumeDamage(.commit(session: driver.session, number: 3), volume: "vol-0001")))
  }

  /// A crash leaves the last commit of a session torn, below an end that another session's commit moved.
  @Test func aLastCommitThatIsNotWholeIsNotReplayed() throws {
    let (store, running, driver) = try Self.run()
    var bytes = try #require(store.bytes(of: "vol-0001"))
    bytes[Int(driver.acknowledged[3].result.groups[0].block.byteOffset) + 500] ^= 1
    store.put("vol-0001", bytes)
    let device = Fixture.device(store, identifiersFrom: 900)
    device.open(known: running.volumes)
    let third = driver.acknowledged[2].result
    let second = driver.acknowledged[1].result
    let session = try device.replay(session: driver.session, after: 2, lastGroup: second.groups.last)
    #expect(session.commits.map(\.number) == [3])
    #expect(session.state == third.state)
    #expect(try device.resumeState(of: driver.session, after: 3, lastGroup: third.groups.last) == third.state)
    let scanned = try #require(device.scanAll().sessions.first { $0.session == driver.session })
    #expect(scanned.commits.map(\.number) == [1, 2, 3])
    #expect(scanned.state == third.state)
  }

  @Test func aMissingVolumeCostsOnlyWhatItHeld() throws {
    let (store, _, driver) = try Self.run(volumeSize: 64 << 10)
    let names = try store.names().sorted()
    #expect(names.count > 2)
    try store.remove(names[1])
    let report = try Fixture.device(store, identifiersFrom: 900).scanAll()
    let session = try #require(report.sessions.first { $0.session == driver.session })
    let found = session.commits.flatMap { $0.groups.map(\.group) }
    let missing = session.commits.flatMap { $0.missing.flatMap { Array($0) } }
    #expect(!missing.isEmpty)
    #expect((found + missing).sorted() == Array(1...12))
  }
}
