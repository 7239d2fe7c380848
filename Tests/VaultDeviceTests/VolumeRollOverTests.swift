import SystemPackage
import Testing
import VaultDevice
import VaultModel
import VaultProtocol

@Suite struct VolumeRollOverTests {
  private static func contentsAreRight(_ device: Device, _ driver: SessionDriver) throws {
    for commit in driver.acknowledged {
      for location in commit.result.groups {
        #expect(try device.checksum(at: location) == commit.contents[location.group])
      }
    }
  }

  @Test func aVolumeClosesAtItsLimit() throws {
    let store = MemoryVolumeStore()
    let device = Fixture.device(store, volumeSize: 64 << 10)
    _ = try device.recover(known: [])
    let driver = try SessionDriver(device, Fixture.sessionA)
    for _ in 0..<20 { try driver.append(12_000) }
    let result = try driver.commit()
    try driver.end()
    #expect(result.volumes.count == device.volumes.count, "a commit that covers several volumes tells of all")
    #expect(result.volumes.map(\.name) == (1...result.volumes.count).map { VolumeName.make($0) })
    #expect(result.volumes.dropLast().allSatisfy { $0.status == .full })
    for volume in device.volumes {
      let size = try #require(store.bytes(of: volume.name)).count
      #expect(size <= 64 << 10)
      #expect(UInt64(size) == volume.end.byteOffset)
    }
    try Self.contentsAreRight(device, driver)
  }

  @Test func theLastCommitAndTheEndFitIntoTheReserve() throws {
    let store = MemoryVolumeStore()
    let device = Fixture.device(store, volumeSize: 64 << 10)
    _ = try device.recover(known: [])
    let driver = try SessionDriver(device, Fixture.sessionA)
    // Label and start take 8 KiB; three blocks of 16 KiB fill all but the reserve.
    for _ in 0..<3 { try driver.append(16_384 - 80 - 152) }
    try driver.commit()
    try driver.end()
    #expect(device.volumes.count == 1)
    #expect(device.volumes.map(\.end.byteOffset) == [64 << 10])
  }

  struct Limit: CustomTestStringConvertible, Sendable {
    let errno: Errno
    let kind: DeviceError.Kind
    var testDescription: String { "\(kind)" }
  }
  static let limits = [
    Limit(errno: .noSpace, kind: .noSpace), Limit(errno: .diskQuotaExceeded, kind: .noSpace),
    Limit(errno: .fileTooLarge, kind: .fileTooLarge),
  ]

  /// Files stop at a size, as a file system's limit makes them.
  @Test(arguments: limits) func theJobGoesOnWithTheNextVolume(_ limit: Limit) throws {
    let store = LimitedVolumeStore(fileLimit: 50_000, storeLimit: .max, limit.errno)
    let device = Fixture.device(store)
    _ = try device.recover(known: [])
    let driver = try SessionDriver(device, Fixture.sessionA)
    for _ in 0..<10 { try driver.append(12_000) }
    try driver.commit()
    try driver.end()
    #expect(device.volumes.count > 2)
    #expect(device.volumes.dropLast().allSatisfy { $0.status == .full })
    for volume in device.volumes {
      let size = try #require(store.base.bytes(of: volume.name)).count
      #expect(size % 4096 == 0, "the partial block is cut off")
      #expect(size <= 50_000)
    }
    try Self.contentsAreRight(device, driver)
    #expect(try Fixture.device(store.base).recover(known: device.volumes).isClean)
  }

  @Test func aFullDiskAbortsTheSessionAndKeepsWhatWasCommitted() throws {
    let store = LimitedVolumeStore(fileLimit: .max, storeLimit: 60_000, .noSpace)
    let device = Fixture.device(store)
    _ = try device.recover(known: [])
    let driver = try SessionDriver(device, Fixture.sessionA)
    for _ in 0..<2 { try driver.append(12_000) }
    try driver.commit()
    let error = #expect(throws: DeviceError.self) {
      for _ in 0..<10 { try driver.append(12_000) }
      try driver.commit()
    }
    #expect(error?.kind == .noSpace)
    #expect(error?.exitStatus == .jobFailed)
    #expect(throws: DeviceError.self, "the session stays aborted") { try driver.commit() }
    try Self.contentsAreRight(device, driver)
    let known = driver.acknowledged.last?.result.volumes ?? []
    try device.close()
    // Room again: recovery cuts what was not committed, and the session goes on.
    let later = Fixture.device(store.base, identifiersFrom: 1000)
    let report = try later.recover(known: known)
    #expect(report.damage.isEmpty)
    #expect(report.sessions.isEmpty)
    try driver.restart(later)
    try driver.append(12_000)
    try driver.commit()
    try Self.contentsAreRight(later, driver)
  }

  @Test func aDiskWithoutRoomForALabelSaysSo() throws {
    let store = LimitedVolumeStore(fileLimit: .max, storeLimit: 1000, .noSpace)
    let device = Fixture.device(store)
    _ = try device.recover(known: [])
    let error = #expect(throws: DeviceError.self) { _ = try SessionDriver(device, Fixture.sessionA) }
    #expect(error?.kind == .noSpace)
    #expect(try store.names().isEmpty, "the volume that was begun is removed")
  }

  @Test func aFileSystemThatTakesNoBlockSaysSo() throws {
    let store = LimitedVolumeStore(fileLimit: 5000, storeLimit: .max, .fileTooLarge)
    let device = Fixture.device(store)
    _ = try device.recover(known: [])
    let driver = try SessionDriver(device, Fixture.sessionA)
    let error = #expect(throws: DeviceError.self) {
      try driver.append(10)
      try driver.commit()
    }
    #expect(error?.kind == .fileTooLarge)
    #expect(try store.names().count == 1, "volumes are not made one after another in vain")
  }

  @Test func volumesForSmallerBlocksAreClosed() throws {
    let store = MemoryVolumeStore()
    let small = Fixture.device(store)
    _ = try small.recover(known: [])
    let first = try SessionDriver(small, Fixture.sessionA)
    try first.append(10)
    try first.commit()
    try first.end()
    try small.close()
    let large = Fixture.device(store, blockSize: 64 << 10, identifiersFrom: 100)
    _ = try large.recover(known: small.volumes)
    let second = try SessionDriver(large, Fixture.sessionB)
    try second.append(40_000)
    try second.commit()
    #expect(large.volumes.map(\.status) == [.full, .append])
    try Self.contentsAreRight(large, first)
    try Self.contentsAreRight(large, second)
  }
}
