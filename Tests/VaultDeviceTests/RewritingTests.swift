import SystemPackage
import Testing
import VaultCrypto
import VaultModel
import VaultProtocol

@testable import VaultDevice

/// Volumes that are rewritten: what is needed is the same on the new one, and until that is complete the old one counts.
@Suite struct RewritingTests {
  private static let retention = RetentionRecord(
    lastNumber: 9,
    retention: TreeRetention(tree: Tree(host: "host", name: "tree"), firstKept: 1, dropped: [2], undone: []))
  private static let otherRetention = RetentionRecord(
    lastNumber: 7,
    retention: TreeRetention(tree: Tree(host: "h", name: "other"), firstKept: 3, dropped: [4], undone: []))

  private static func bytes(_ record: RetentionRecord) -> [UInt8] {
    var writer = RecordWriter()
    writer.retention(record)
    return Array(writer.bytes)
  }

  /// Two sessions whose blocks interleave on one volume, of which one and a half are not needed.
  private struct Sample {
    let device: Device
    let first: SessionDriver
    let second: SessionDriver
    let old: Volume
    /// What is needed: every third group of the first session.
    var needed: [GroupLocation] {
      first.acknowledged.flatMap(\.result.groups).filter { $0.group % 3 == 2 }
    }
    var sessions: Set<UniqueIdentifier> { [Fixture.sessionA] }
    /// A catalog that trails knows the volume as it is now.
    var known: [Volume] { [old] }

    init(_ store: any VolumeStore) throws {
      device = Fixture.device(store)
      _ = try device.recover(known: [])
      first = try SessionDriver(device, Fixture.sessionA)
      second = try SessionDriver(device, Fixture.sessionB)
      for _ in 0..<4 {
        for count in [700, 5000, 900] { try first.append(count) }
        try first.commit()
        for count in [6000, 6000] { try second.append(count) }
        try second.commit()
      }
      try second.end()
      try first.end()
      _ = try device.retain([RewritingTests.bytes(RewritingTests.otherRetention)], giveUp: [], needed: [:])
      old = try #require(device.volumes.first)
    }

    /// Rewrites the volume in steps of some blocks.
    func rewrite(step: UInt32 = 7) throws -> (new: Volume?, moved: [UInt64: UInt32]) {
      let rewrite = try device.beginRewrite(
        of: old.identifier, recording: [RewritingTests.bytes(RewritingTests.retention)], needed: sessions)
      defer { rewrite.abandon() }
      var moved: [UInt64: UInt32] = [:]
      for from in stride(from: 0, to: old.end.block, by: Int(step)) {
        let to = min(from + step, old.end.block)
        let here = needed.filter { $0.block.block >= from && $0.block.block < to }
        for groups in try rewrite.copy(
          before: to, needed: here.map { BlockGroup(block: $0.block.block, group: $0.group) })
        {
          #expect(groups.session == Fixture.sessionA)
          for group in groups.groups { moved[group.group] = group.block }
        }
      }
      return (try rewrite.finish(), moved)
    }

    /// The needed groups where they lie now.
    func locations(_ new: Volume, _ moved: [UInt64: UInt32]) throws -> [GroupLocation] {
      try needed.map { location in
        var location = location
        location.volume = new.identifier
        location.block = BlockAddress(block: try #require(moved[location.group]))
        return location
      }
    }
  }

  private static func checksums(_ driver: SessionDriver) -> [UInt64: Checksum128] {
    driver.acknowledged.reduce(into: [:]) { $0.merge($1.contents) { first, _ in first } }
  }

  @Test(arguments: [1, 7, 1000] as [UInt32]) func whatIsNeededIsTheSame(step: UInt32) throws {
    let store = MemoryVolumeStore()
    let sample = try Sample(store)
    let before = try #require(store.bytes(of: sample.old.name))
    let (rewritten, moved) = try sample.rewrite(step: step)
    let new = try #require(rewritten)
    #expect(store.bytes(of: sample.old.name) == before, "the old volume is as it was")
    #expect(new.name == "vol-0002" && new.status == .append)
    #expect(new.end.byteOffset == store.bytes(of: new.name).map { UInt64($0.count) })
    #expect(new.end < sample.old.end)
    #expect(moved.count == sample.needed.count && moved.count == 4)
    let locations = try sample.locations(new, moved)
    let expected = Self.checksums(sample.first)
    for (now, then) in zip(locations, sample.needed) {
      #expect(try sample.device.checksum(at: now) == expected[now.group])
      #expect(try Self.raw(sample.device, now) == Self.raw(sample.device, then), "byte for byte")
    }
    let placed = locations.map { PlacedGroup(session: Fixture.sessionA, location: $0) }
    let (examined, findings) = try sample.device.examine(
      volume: new.identifier, 0..<new.end.block, expecting: placed, readsData: true)
    #expect(findings.isEmpty && examined.deadBlockCount == 0)
    try sample.device.purge([sample.old])
    let report = try sample.device.scanAll()
    #expect(report.unexplainedDamage.isEmpty && report.tornEnds.isEmpty && report.leftOut.isEmpty)
    #expect(report.volumes == [new])
    #expect(Set(report.retention) == [Self.retention, Self.otherRetention])
    let session = try #require(report.sessions.first)
    #expect(report.sessions.count == 1 && session.job == Fixture.job(Fixture.sessionA))
    #expect(session.outcome == Fixture.outcome && session.commits.map(\.number) == [1, 2, 3, 4])
    #expect(session.commits.flatMap(\.groups) == locations)
    #expect(session.state == sample.first.acknowledged.last?.result.state, "the last commit says the same")
  }

  private static func raw(_ device: Device, _ location: GroupLocation) throws -> [UInt8] {
    try withUnsafeTemporaryAllocation(
      byteCount: try device.readBufferSize(of: location.volume), alignment: 4096
    ) { Array(try device.readGroup(location, into: $0).bytes) }
  }

  @Test func theNewVolumeIsAppendedTo() throws {
    let store = MemoryVolumeStore()
    let sample = try Sample(store)
    let new = try #require(try sample.rewrite().new)
    try sample.device.purge([sample.old])
    let next = try SessionDriver(sample.device, UniqueIdentifier(high: 1, low: 1))
    try next.append(100)
    let commit = try next.commit()
    #expect(commit.volumes.map(\.identifier) == [new.identifier])
    try sample.device.close()
    let again = Fixture.device(store, identifiersFrom: 900)
    #expect(try again.recover(known: [new]).sessions.map(\.session) == [next.session])
    #expect(try again.scanAll().unexplainedDamage.isEmpty)
    try again.close()
  }

  @Test func aVolumeIsRewrittenTwice() throws {
    let store = MemoryVolumeStore()
    let sample = try Sample(store)
    let (rewritten, moved) = try sample.rewrite()
    let first = try #require(rewritten)
    let device = sample.device
    try device.purge([sample.old])
    let rewrite = try device.beginRewrite(of: first.identifier, recording: [], needed: sample.sessions)
    let one = try #require(moved.min { $0.key < $1.key })
    let again = try rewrite.copy(
      before: first.end.block, needed: [BlockGroup(block: one.value, group: one.key)])
    let second = try #require(try rewrite.finish())
    #expect(again.flatMap(\.groups).map(\.group) == [one.key])
    // While both are there, neither the first nor anything on it counts.
    let report = try device.scanAll()
    #expect(report.volumes == [second])
    #expect(report.leftOut.map(\.reason) == [.replaced(by: second.name)])
    #expect(Set(report.retention) == [Self.retention, Self.otherRetention], "old records of other trees go on")
    #expect(report.sessions.flatMap(\.commits).flatMap(\.groups).map(\.group) == [one.key], "no group twice")
  }

  @Test func theOldVolumeCountsUntilTheNewOneIsComplete() throws {
    let store = MemoryVolumeStore()
    let sample = try Sample(store)
    let expected = try sample.device.scanAll()
    let rewrite = try sample.device.beginRewrite(of: sample.old.identifier, recording: [], needed: sample.sessions)
    _ = try rewrite.copy(
      before: sample.old.end.block, needed: sample.needed.map { BlockGroup(block: $0.block.block, group: $0.group) })
    var found = try sample.device.scanAll()
    #expect(found.leftOut.map(\.reason) == [.incomplete(replacementOf: sample.old.name)])
    found.leftOut = []
    #expect(found == expected)
    let image = MemoryVolumeStore()
    for name in try store.names() { image.put(name, try #require(store.bytes(of: name))) }
    let again = Fixture.device(image, identifiersFrom: 900)
    let report = try again.recover(known: sample.known)
    #expect(report.leftOut.map(\.name) == ["vol-0002"] && report.damage.isEmpty && report.cuts.isEmpty)
    #expect(try image.names() == [sample.old.name])
    // Without the old volume what there is counts.
    try store.remove(sample.old.name)
    #expect(try sample.device.scanAll().sessions.map(\.session) == [Fixture.sessionA])
    rewrite.abandon()
    #expect(try store.names().isEmpty)
  }

  @Test func theNewVolumeStaysWhenTheOldOneIsNotInPlace() throws {
    let store = MemoryVolumeStore()
    let sample = try Sample(store)
    let new = try #require(try sample.rewrite().new)
    try sample.device.close()
    let bytes = try #require(store.bytes(of: sample.old.name))
    for cut in [0, bytes.count - 4096] {
      store.put(sample.old.name, Array(bytes[..<cut]))
      let report = try Fixture.device(store, identifiersFrom: 900).recover(known: sample.known)
      #expect(report.leftOut.isEmpty && report.cuts.isEmpty && !report.damage.isEmpty)
      #expect(try store.names().contains(new.name), "it holds what is needed")
    }
    // A catalog that took the new one in leaves an old one alone that comes back.
    store.put(sample.old.name, bytes)
    let report = try Fixture.device(store, identifiersFrom: 900).recover(known: [new])
    #expect(report.leftOut.map(\.reason) == [.replaced(by: new.name)] && report.sessions.isEmpty)
    #expect(store.bytes(of: sample.old.name) == bytes)
  }

  @Test func everyCallMayFail() throws {
    let quiet = FaultingVolumeStore()
    let calls = try { () -> Range<Int> in
      let sample = try Sample(quiet)
      let start = quiet.callCount
      _ = try sample.rewrite()
      return start + 1..<quiet.callCount + 1
    }()
    #expect(calls.count > 8)
    for fault in Fault.allCases {
      for failAt in calls {
        for mode in fault == .crash ? CrashMode.allCases : [.keep] {
          try check(failAt, fault, mode)
        }
      }
    }
  }

  private func check(_ failAt: Int, _ fault: Fault, _ mode: CrashMode) throws {
    let plan = Comment(rawValue: "call \(failAt), \(fault), \(mode)")
    let store = FaultingVolumeStore(failAt: failAt, fault, seed: UInt64(failAt))
    let sample = try Sample(store)
    var new: Volume?
    do { new = try sample.rewrite().new } catch {}
    var generator = SplitMix(seed: UInt64(failAt))
    let left = fault == .crash ? store.base.crashImage(mode, using: &generator) : store.base
    // The catalog took in what was reported as complete, and nothing else.
    var replaced = sample.old
    replaced.status = .purged
    let known = new.map { [replaced, $0] } ?? sample.known
    let copy = MemoryVolumeStore()
    for name in try left.names() { copy.put(name, try #require(left.bytes(of: name))) }
    let expected = Self.checksums(sample.first)
    // By the volumes alone, before anything is put in order: the needed groups are there, and none twice.
    let scanned = Fixture.device(copy, identifiersFrom: 800)
    scanned.open(known: try scanned.scanAll().volumes)
    let groups =
      try scanned.scanAll().sessions.first { $0.session == Fixture.sessionA }?.commits.flatMap(\.groups) ?? []
    #expect(Set(groups.map(\.group)).count == groups.count, plan)
    #expect(Set(groups.map(\.group)).isSuperset(of: sample.needed.map(\.group)), plan)
    for group in groups { #expect(try scanned.checksum(at: group) == expected[group.group], plan) }
    // And by the catalog.
    let device = Fixture.device(left, identifiersFrom: 900)
    let report = try device.recover(known: known)
    #expect(report.damage.isEmpty && report.cuts.isEmpty && report.sessions.isEmpty, plan)
    #expect(try left.names() == [new?.name ?? sample.old.name], plan)
    #expect(report.volumes.map(\.identifier) == [new?.identifier ?? sample.old.identifier], plan)
    if new == nil {
      for location in sample.needed { #expect(try device.checksum(at: location) == expected[location.group], plan) }
    }
    let next = try SessionDriver(device, UniqueIdentifier(high: 1, low: 1))
    try next.append(100)
    try next.commit()
    #expect(try device.scanAll().unexplainedDamage.isEmpty, plan)
  }

  @Test func withoutRoomAllIsAsBefore() throws {
    for room in [1, 4096, 12_000, 20_000] {
      let probe = MemoryVolumeStore()
      let size = Int(try Sample(probe).old.end.byteOffset)
      let store = LimitedVolumeStore(fileLimit: .max, storeLimit: size + room, .noSpace)
      let sample = try Sample(store)
      #expect(throws: DeviceError(.noRoomToRewrite, volume: sample.old.name)) { try sample.rewrite() }
      #expect(try store.names() == [sample.old.name] && sample.device.volumes == [sample.old])
      #expect(DeviceError(.noRoomToRewrite).exitStatus == .jobFailed)
    }
  }

  @Test func aDamagedVolumeStays() throws {
    let probe = MemoryVolumeStore()
    let size = Int(try Sample(probe).old.end.byteOffset)
    for offset in stride(from: 100, to: size, by: 3001) {
      let store = MemoryVolumeStore()
      let sample = try Sample(store)
      try sample.device.close()
      var bytes = try #require(store.bytes(of: sample.old.name))
      // Padding belongs to no checksum, and changes nothing of what is copied.
      guard bytes[offset] != 0 else { continue }
      bytes[offset] ^= 0x10
      store.put(sample.old.name, bytes)
      let device = Fixture.device(store, identifiersFrom: 900)
      device.open(known: sample.known)
      do {
        let rewrite = try device.beginRewrite(of: sample.old.identifier, recording: [], needed: sample.sessions)
        defer { rewrite.abandon() }
        _ = try rewrite.copy(
          before: sample.old.end.block,
          needed: sample.needed.map { BlockGroup(block: $0.block.block, group: $0.group) })
        Issue.record("damage at \(offset) was not seen")
      } catch { #expect(error.exitStatus == .damaged, "\(offset): \(error)") }
      #expect(try store.names() == [sample.old.name] && device.volumes == [sample.old])
      #expect(store.bytes(of: sample.old.name) == bytes)
    }
  }

  @Test func aGroupThatIsNotThereIsDamage() throws {
    let sample = try Sample(MemoryVolumeStore())
    for group in [BlockGroup(block: 1, group: 1), BlockGroup(block: sample.needed[0].block.block, group: 99)] {
      let rewrite = try sample.device.beginRewrite(of: sample.old.identifier, recording: [], needed: sample.sessions)
      defer { rewrite.abandon() }
      #expect(throws: DeviceError.self) { try rewrite.copy(before: sample.old.end.block, needed: [group]) }
    }
    let rewrite = try sample.device.beginRewrite(of: sample.old.identifier, recording: [], needed: sample.sessions)
    #expect(throws: DeviceError.self, "not all of it was copied") { try rewrite.finish() }
  }

  @Test func nothingIsGainedByNothing() throws {
    let store = MemoryVolumeStore()
    let sample = try Sample(store)
    let all = [sample.first, sample.second].flatMap { $0.acknowledged.flatMap(\.result.groups) }
    let rewrite = try sample.device.beginRewrite(
      of: sample.old.identifier, recording: [], needed: [Fixture.sessionA, Fixture.sessionB])
    _ = try rewrite.copy(
      before: sample.old.end.block,
      needed: all.sorted { $0.block < $1.block }.map { BlockGroup(block: $0.block.block, group: $0.group) })
    #expect(try rewrite.finish() == nil)
    #expect(try store.names() == [sample.old.name] && sample.device.volumes == [sample.old])
  }

  @Test func nothingIsRewrittenWhileItIsWrittenTo() throws {
    let sample = try Sample(MemoryVolumeStore())
    let writer = try SessionDriver(sample.device, UniqueIdentifier(high: 1, low: 1))
    try writer.record.waitUntilWritten()
    #expect(throws: DeviceError(.volumeInUse, volume: sample.old.name)) {
      try sample.device.beginRewrite(of: sample.old.identifier, recording: [], needed: [])
    }
    try writer.append(10)
    #expect(try writer.commit().volumes.map(\.identifier) == [sample.old.identifier], "it is used as before")
  }
}
