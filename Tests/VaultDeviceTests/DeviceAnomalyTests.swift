import SystemPackage
import Testing
import VaultDevice
import VaultModel
import VaultProtocol

/// The anomaly loop: the n-th call on the store fails, for every n and every way to fail; then the invariants hold.
///
/// A run that fails is named by its plan: seed, fault, n and crash mode replay it, but for a commit of two blocks of which the
/// first one makes a sync begin beside the other.
@Suite struct DeviceAnomalyTests {
  struct Plan: CustomStringConvertible, Sendable {
    var seed: UInt64
    var failAt: Int
    var fault: Fault
    var mode: CrashMode
    var description: String { "seed \(seed), call \(failAt), \(fault), \(mode)" }
  }

  static let seeds = Array(1...10 as ClosedRange<UInt64>)

  @Test(arguments: seeds) func everyCallMayFail(_ seed: UInt64) throws {
    let quiet = FaultingVolumeStore(seed: seed)
    let workload = Workload(quiet, seed: seed)
    workload.run()
    try Self.check(workload, on: quiet.base, Plan(seed: seed, failAt: 0, fault: .inputOutput, mode: .keep))
    #expect(quiet.callCount > 15, "a workload that calls nothing tests nothing")
    for fault in Fault.allCases {
      for failAt in 1...quiet.callCount {
        for mode in fault == .crash ? CrashMode.allCases : [.keep] {
          let plan = Plan(seed: seed, failAt: failAt, fault: fault, mode: mode)
          let store = FaultingVolumeStore(failAt: failAt, fault, seed: seed &* 1000 &+ UInt64(failAt))
          let workload = Workload(store, seed: seed)
          workload.run()
          var generator = SplitMix(seed: seed ^ UInt64(failAt) << 8)
          // After a crash the medium is as the power cut left it; else the process ended and the cache is still there.
          let left = fault == .crash ? store.base.crashImage(mode, using: &generator) : store.base
          let disturbAt = Int.random(in: 0...8, using: &generator)
          let again = Self.disturbRecovery(workload, on: left, failAt: disturbAt, plan)
          do { try Self.check(workload, on: again, plan, isDisturbed: disturbAt > 0) } catch {
            Issue.record("\(plan), recovery disturbed at \(disturbAt): \(error)")
          }
        }
      }
    }
  }

  /// Recovery is itself interrupted, or one of its calls fails; what it found is lost with it.
  private static func disturbRecovery(
    _ workload: Workload, on left: MemoryVolumeStore, failAt: Int, _ plan: Plan
  ) -> MemoryVolumeStore {
    guard failAt > 0 else { return left }
    let fault = plan.seed % 2 == 0 ? Fault.crash : .inputOutput
    let store = FaultingVolumeStore(left, failAt: failAt, fault, seed: plan.seed)
    let device = Fixture.device(store, volumeSize: Workload.volumeSize, blockSize: 8192, identifiersFrom: 5000)
    do { _ = try device.recover(known: workload.catalog.volumes) } catch {}
    var generator = SplitMix(seed: plan.seed &+ UInt64(failAt))
    return fault == .crash ? left.crashImage(.tear, using: &generator) : left
  }

  /// Everything acknowledged is there after recovery, and still after another power cut; then all goes on.
  private static func check(_ workload: Workload, on store: MemoryVolumeStore, _ plan: Plan, isDisturbed: Bool = false)
    throws
  {
    let catalog = workload.catalog
    let device = Fixture.device(store, volumeSize: Workload.volumeSize, blockSize: 8192, identifiersFrom: 10_000)
    let report = try device.recover(known: catalog.volumes)
    for volume in catalog.volumes {
      let size = store.bytes(of: volume.name)?.count ?? 0
      #expect(UInt64(size) >= volume.end.byteOffset, "\(plan): \(volume.name) was cut below its known end")
    }
    #expect(report.damage.allSatisfy { workload.isExpected($0) }, "\(plan): \(report.damage)")
    var generator = SplitMix(seed: 77)
    let image = store.crashImage(.drop, using: &generator)
    let later = Fixture.device(image, volumeSize: Workload.volumeSize, blockSize: 8192, identifiersFrom: 20_000)
    var again = try later.recover(known: device.volumes)
    // A cut that was made by the disturbed recovery may not have reached the medium.
    if isDisturbed { again.cuts = [] }
    #expect(again.isClean, "\(plan): recovery left work for another one: \(again)")
    for (session, driver) in workload.drivers {
      let last = catalog.commits[session] ?? 0
      let hint = last == 0 ? nil : driver.acknowledged[Int(last) - 1].result.groups.last
      let replayed = try later.replay(session: session, after: last, lastGroup: hint)
      let acknowledged = driver.acknowledged.dropFirst(Int(last))
      #expect(
        replayed.commits.prefix(acknowledged.count).map(\.groups) == acknowledged.map(\.result.groups),
        "\(plan): acknowledged commits of \(session)")
      #expect(replayed.commits.count <= acknowledged.count + 1, "\(plan): one commit at most was not acknowledged")
      for commit in driver.acknowledged {
        for location in commit.result.groups {
          #expect(
            try later.checksum(at: location) == commit.contents[location.group], "\(plan): group \(location.group)")
        }
      }
      try goOn(later, driver, replayed, plan)
    }
    #expect(try later.scanAll().damage.filter { !workload.isExpected($0) }.isEmpty, "\(plan)")
  }

  /// A session goes on in a new attempt, and ends.
  private static func goOn(
    _ device: Device, _ driver: SessionDriver, _ replayed: RecoveredSession, _ plan: Plan
  ) throws {
    let lastGroup = replayed.commits.last?.groups.last ?? driver.lastGroup
    let number = replayed.state.nextCommit - 1
    let state = try device.resumeState(of: driver.session, after: number, lastGroup: number == 0 ? nil : lastGroup)
    #expect(state == replayed.state, "\(plan)")
    let next = try SessionDriver(device, driver.session, attempt: driver.attempt + 1, continuing: state)
    try next.append(2000)
    try next.commit()
    try next.end()
    let session = try #require(try device.scanAll().sessions.first { $0.session == driver.session })
    #expect(session.commits.map(\.number) == Array(1...number + 1), "\(plan)")
    #expect(session.commits.allSatisfy { $0.isWhole }, "\(plan)")
    #expect(session.commits.flatMap { $0.groups.map(\.group) } == Array(1..<state.nextGroup + 1), "\(plan)")
    for commit in driver.acknowledged {
      #expect(session.commits[Int(commit.result.number) - 1].groups == commit.result.groups, "\(plan)")
    }
  }
}

/// What a catalog that trails knows.
struct TrailingCatalog {
  private(set) var known: [UniqueIdentifier: Volume] = [:]
  /// The last commit of each session.
  private(set) var commits: [UniqueIdentifier: UInt64] = [:]

  var volumes: [Volume] { known.values.sorted { $0.name < $1.name } }

  mutating func take(_ result: CommitResult, of session: UniqueIdentifier) {
    commits[session] = max(commits[session] ?? 0, result.number)
    take(result.volumes)
  }

  mutating func take(_ volumes: [Volume]) {
    for volume in volumes {
      var volume = volume
      if let other = known[volume.identifier] { volume.end = max(volume.end, other.end) }
      known[volume.identifier] = volume
    }
  }
}

/// Sessions that append and commit by chance, go on after errors as a storage daemon does, and are taken by a catalog that trails.
final class Workload {
  static let volumeSize: UInt64 = 56 << 10

  private let store: FaultingVolumeStore
  private var generator: SplitMix
  private(set) var drivers: [UniqueIdentifier: SessionDriver] = [:]
  private(set) var catalog = TrailingCatalog()
  private var failureCount = 0

  init(_ store: FaultingVolumeStore, seed: UInt64) {
    self.store = store
    generator = SplitMix(seed: seed)
  }

  /// A failed volume may hold torn blocks, and reading it may say so.
  func isExpected(_ damage: VolumeDamage) -> Bool {
    if case .bytes = damage.kind { return failureCount > 0 }
    return false
  }

  func run() {
    let device = Fixture.device(store, volumeSize: Self.volumeSize, blockSize: 8192, unsyncedLimit: 24 << 10)
    do {
      _ = try device.recover(known: [])
      let sessions = generator.next() % 2 == 0 ? [Fixture.sessionA] : [Fixture.sessionA, Fixture.sessionB]
      for session in sessions {
        let driver = try SessionDriver(device, session)
        drivers[session] = driver
        try driver.record.waitUntilWritten()
      }
      for _ in 0..<40 {
        let session = sessions[Int(generator.next() % UInt64(sessions.count))]
        try step(device, session, choice: generator.next() % 10, size: Int(generator.next() % 6000) + 1)
      }
    } catch {
      // Nothing works any more: the process gives up.
    }
    do { try device.close() } catch { failureCount += 1 }
  }

  private func step(_ device: Device, _ session: UniqueIdentifier, choice: UInt64, size: Int) throws {
    guard let driver = drivers[session] else { return }
    do {
      switch choice {
      case 0: try restart(driver, device)
      case 1, 2, 3:
        let result = try driver.commit()
        if generator.next() % 3 > 0 { for commit in driver.acknowledged { catalog.take(commit.result, of: session) } }
        if generator.next() % 8 == 0 { catalog.take(result.volumes) }
      default:
        try driver.append(size)
        try driver.record.waitUntilWritten()
      }
    } catch {
      failureCount += 1
      try restart(driver, device)
    }
  }

  /// Sessions take turns, so that the same plan makes nearly always the same calls in the same order.
  private func restart(_ driver: SessionDriver, _ device: Device) throws {
    try driver.restart(device)
    try driver.record.waitUntilWritten()
  }
}
