import SystemPackage
import Testing
import VaultCrypto
import VaultDevice
import VaultModel
import VaultProtocol

/// Which commits count: whole ones that nothing made void, with the right rolling digest, on the medium.
@Suite struct CountedCommitTests {
  @Test func aLaterAttemptVoidsWhatItDoesNotContinueFrom() throws {
    let store = MemoryVolumeStore()
    let device = Fixture.device(store)
    _ = try device.recover(known: [])
    let driver = try SessionDriver(device, Fixture.sessionA)
    for _ in 0..<2 {
      try driver.append(100)
      try driver.commit()
    }
    let before = try device.scanAll()
    #expect(before.sessions.map { $0.commits.map(\.number) } == [[1, 2]])
    let next = try SessionDriver(
      device, Fixture.sessionA, attempt: 2, continuing: driver.acknowledged[0].result.state)
    try next.record.waitUntilWritten()
    next.record.abort()
    try device.close()
    let report = try Fixture.device(store, identifiersFrom: 100).scanAll()
    #expect(report.sessions.map { $0.commits.map(\.number) } == [[1]])
    #expect(report.sessions.map(\.state) == [driver.acknowledged[0].result.state])
    let recovered = try Fixture.device(store, identifiersFrom: 100).recover(known: [])
    #expect(recovered.sessions.map { $0.commits.map(\.number) } == [[1]])
  }

  /// Changes one byte of the golden volume's commit group and makes all checksums right again.
  private static func volume(changingCommitByte offset: Int) -> [UInt8] {
    var block = GoldenVolume.groups
    let payloadLength = GoldenVolume.groups.count - BlockHeader.byteCount
    let commitLength = GroupHeader.byteCount + RecordHeader.byteCount + 32 + 24
    let start = BlockHeader.byteCount + payloadLength - commitLength
    var group = Array(block[start...])
    group[GroupHeader.byteCount + RecordHeader.byteCount + offset] ^= 1
    let digest = group[GroupHeader.byteCount...].withUnsafeBytes { XXH3.checksum128($0) }
    group.replaceSubrange(104..<112, with: withUnsafeBytes(of: digest.high.bigEndian) { Array($0) })
    group.replaceSubrange(112..<120, with: withUnsafeBytes(of: digest.low.bigEndian) { Array($0) })
    let checksum = group[..<120].withUnsafeBytes { XXH3.checksum64($0) }
    group.replaceSubrange(120..<128, with: withUnsafeBytes(of: checksum.littleEndian) { Array($0) })
    block.replaceSubrange(start..., with: group)
    block.replaceSubrange(8..<16, with: repeatElement(0, count: 8))
    let blockChecksum = block.withUnsafeBytes { XXH3.checksum64($0) }
    block.replaceSubrange(8..<16, with: withUnsafeBytes(of: blockChecksum.littleEndian) { Array($0) })
    return GoldenVolume.volume([GoldenVolume.label, GoldenVolume.start, block])
  }

  private static func recover(_ volume: [UInt8]) throws -> RecoveryReport {
    let store = MemoryVolumeStore()
    store.put("vol-0001", volume)
    return try Fixture.device(store).recover(known: [])
  }

  @Test func theRollingDigestMustMatch() throws {
    let golden = GoldenVolume.volume([GoldenVolume.label, GoldenVolume.start, GoldenVolume.groups])
    #expect(try Self.recover(golden).sessions.map { $0.commits.map(\.number) } == [[1]])
    // The first and the last byte of the digest, and the last group of the range.
    for offset in [8, 23, 48] {
      let report = try Self.recover(Self.volume(changingCommitByte: offset))
      #expect(report.sessions.isEmpty, "byte \(offset)")
      #expect(report.cuts.map(\.byteCount) == [UInt64(golden.count - 4096)], "byte \(offset)")
    }
  }

  @Test func theFirstCommitNeedsItsSessionStart() throws {
    let volume = GoldenVolume.volume([GoldenVolume.label, [UInt8](repeating: 0, count: 4096), GoldenVolume.groups])
    #expect(try Self.recover(volume).sessions.isEmpty)
  }

  /// After a failed sync memory shows data that the medium does not have: what counts must survive a power cut.
  @Test(arguments: Array(1...40 as ClosedRange<UInt64>)) func onlyWhatTheMediumHoldsCounts(_ seed: UInt64) throws {
    let store = FaultingVolumeStore(failAt: 8, .lostSync, seed: seed)
    let device = Fixture.device(store)
    _ = try device.recover(known: [])
    let driver = try SessionDriver(device, Fixture.sessionA)
    try driver.append(100)
    let known = try driver.commit().volumes
    try driver.append(200)
    #expect(throws: DeviceError.self) { try driver.commit() }
    // The process ends here; another one recovers, and then the power is cut.
    let report = try Fixture.device(store.base, identifiersFrom: 100).recover(known: known)
    #expect(report.sessions.allSatisfy { $0.commits.map(\.number) == [2] })
    var generator = SplitMix(seed: seed)
    let image = Fixture.device(store.base.crashImage(.drop, using: &generator), identifiersFrom: 200)
    let again = try image.recover(known: report.volumes)
    #expect(again.isClean, "\(again)")
    for commit in report.sessions.flatMap(\.commits) {
      for location in commit.groups { _ = try image.content(at: location) }
    }
  }
}
