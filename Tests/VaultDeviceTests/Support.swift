import Glibc
import Synchronization
import SystemPackage
import VaultCrypto
import VaultDevice
import VaultModel
import VaultProtocol
import VaultSystem

/// A small seeded generator: the same seed gives the same run everywhere.
struct SplitMix: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var value = state
    value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
    value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
    return value ^ (value >> 31)
  }
}

/// A clock that stands still.
struct StoppedClock: VaultClock {
  func now() -> Timestamp { Timestamp(nanoseconds: 1_700_000_000_000_000_000) }
  func monotonicNanoseconds() -> UInt64 { 0 }
}

/// Identifiers that count up from a start.
final class CountingIdentifiers: Sendable {
  private let next: Mutex<UInt64>
  init(from start: UInt64 = 1) { next = Mutex(start) }
  func make() -> UniqueIdentifier {
    UniqueIdentifier(
      high: 0x7654_0000_0000_4000,
      low: next.withLock { next in
        defer { next += 1 }
        return 0x8000_0000_0000_0000 | next
      })
  }
}

enum Fixture {
  static let repository = UniqueIdentifier(high: 0x0011_2233_4455_6677, low: 0x8899_aabb_ccdd_eeff)
  static let volume = UniqueIdentifier(high: 0x0f0e_0d0c_0b0a_4908, low: 0x8706_0504_0302_0100)
  static let sessionA = UniqueIdentifier(high: 0xa1a2_a3a4_a5a6_47a8, low: 0x89aa_abac_adae_afb0)
  static let sessionB = UniqueIdentifier(high: 0xb1b2_b3b4_b5b6_47b8, low: 0x89ba_bbbc_bdbe_bfc0)

  /// A device with small blocks: 16 KiB, and volumes of the given size.
  static func device(
    _ store: any VolumeStore, volumeSize: UInt64 = 1 << 20, blockSize: Int = 16 << 10,
    identifiersFrom start: UInt64 = 1, unsyncedLimit: UInt64 = 1 << 20
  ) -> Device {
    let identifiers = CountingIdentifiers(from: start)
    return Device(
      store: store,
      parameters: DeviceParameters(
        repository: repository, maximumBlockSize: blockSize, maximumVolumeSize: volumeSize,
        unsyncedLimit: unsyncedLimit, blockBufferCount: 3),
      clock: StoppedClock(), random: identifiers.make)
  }

  static func job(_ session: UniqueIdentifier, number: UInt64 = 1) -> JobDescription {
    JobDescription(
      number: number, session: session, tree: Tree(host: "host", name: "tree"), level: .full, sequence: number,
      baseSequence: 0, created: Timestamp(nanoseconds: 1_700_000_000_123_456_789), paths: ["/etc"])
  }

  static func jobRecord(_ session: UniqueIdentifier, number: UInt64 = 1) -> [UInt8] {
    var writer = RecordWriter()
    writer.job(job(session, number: number))
    return Array(writer.bytes)
  }

  static let outcome = JobOutcome(
    status: .terminated, ended: Timestamp(nanoseconds: 1_700_000_100_000_000_000), counters: JobCounters())

  static var jobEndRecord: [UInt8] {
    var writer = RecordWriter()
    writer.jobEnd(outcome)
    return Array(writer.bytes)
  }

  /// A whole data group that holds `content` and nothing else.
  static func group(
    _ session: UniqueIdentifier, attempt: UInt32, number: UInt64, _ content: [UInt8], kind: GroupKind = .data
  ) throws -> [UInt8] {
    var records = RecordWriter()
    content.withUnsafeBytes { records.contentData(index: number, offset: 0, $0) }
    let count = GroupHeader.byteCount + records.count
    var output = filled(0, count: count)
    let position = GroupEncoder.Position(
      kind: kind, flags: 0, session: session, attempt: attempt, firstEntry: number, firstOffset: 0)
    _ = try output.withUnsafeMutableBytes {
      try GroupEncoder.plain.encode(records.bytes, recordCount: 1, position, number: number, into: $0)
    }
    return output
  }

  /// Equal bytes, made by one call instead of a loop: the anomaly loop needs very many.
  private static func filled(_ value: Int32, count: Int) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: count) { buffer, initializedCount in
      if let base = buffer.baseAddress { memset(base, value, count) }
      initializedCount = count
    }
  }

  /// Content that tells which group it is of.
  static func content(_ session: UniqueIdentifier, _ number: UInt64, count: Int) -> [UInt8] {
    var generator = SplitMix(seed: session.low ^ number)
    var content = filled(Int32.random(in: 0...255, using: &generator), count: max(1, count))
    for index in 0..<min(16, content.count) { content[index] = UInt8.random(in: 0...255, using: &generator) }
    return content
  }
}

extension DeviceControlRecord {
  /// Appends a whole group's bytes as a data connection does.
  @discardableResult
  func append(_ group: [UInt8]) throws(DeviceError) -> GroupHeader {
    let room = try reserve(group.count)
    group.withUnsafeBytes { room.copyMemory(from: $0) }
    return try append(reserved: group.count)
  }
}

extension Device {
  /// The content that the group at a location holds.
  func content(at location: GroupLocation) throws -> [UInt8] {
    let buffer = UnsafeMutableRawBufferPointer.allocate(
      byteCount: try readBufferSize(of: location.volume), alignment: 4096)
    defer { buffer.deallocate() }
    let group = try readGroup(location, into: buffer)
    var records = RecordReader(group.stored)
    guard case .contentData(let index, 0, let bytes)? = try records.next(), index == location.group else {
      throw DeviceError(.damagedBlock(.malformedContent, location.block))
    }
    return Array(bytes)
  }

  /// The checksum of the content that the group at a location holds.
  func checksum(at location: GroupLocation) throws -> Checksum128 {
    try content(at: location).withUnsafeBytes { XXH3.checksum128($0) }
  }
}

/// A commit that the device acknowledged, and what its groups held.
struct AcknowledgedCommit {
  var result: CommitResult
  /// Checksums of the groups' contents, by group.
  var contents: [UInt64: Checksum128]
}

/// One session's life as a storage daemon lives it: appending, committing, and starting again after an error.
final class SessionDriver {
  let session: UniqueIdentifier
  private(set) var attempt: UInt32
  private(set) var record: DeviceControlRecord
  private(set) var acknowledged: [AcknowledgedCommit]
  private(set) var nextGroup: UInt64
  private var pending: [UInt64: Checksum128] = [:]
  private(set) var isEnded = false

  init(
    _ device: Device, _ session: UniqueIdentifier, attempt: UInt32 = 1, continuing: ResumeState? = nil,
    acknowledged: [AcknowledgedCommit] = []
  ) throws(DeviceError) {
    self.session = session
    self.attempt = attempt
    self.acknowledged = acknowledged
    record = try DeviceControlRecord(
      device: device, session: session, attempt: attempt, jobRecord: Fixture.jobRecord(session), continuing: continuing)
    nextGroup = continuing?.nextGroup ?? 1
  }

  var lastCommit: UInt64 { acknowledged.last?.result.number ?? 0 }
  var lastGroup: GroupLocation? { acknowledged.last?.result.groups.last }

  func append(_ count: Int) throws {
    let content = Fixture.content(session, nextGroup &+ UInt64(attempt) << 32, count: count)
    try record.append(Fixture.group(session, attempt: attempt, number: nextGroup, content))
    pending[nextGroup] = content.withUnsafeBytes { XXH3.checksum128($0) }
    nextGroup += 1
  }

  @discardableResult
  func commit() throws(DeviceError) -> CommitResult {
    let result = try record.commit()
    if !result.groups.isEmpty { acknowledged.append(AcknowledgedCommit(result: result, contents: pending)) }
    pending = [:]
    return result
  }

  @discardableResult
  func end() throws(DeviceError) -> [Volume] {
    let volumes = try record.endSession(jobEndRecord: Fixture.jobEndRecord)
    isEnded = true
    return volumes
  }

  /// Goes on in a new attempt from the last acknowledged commit, which is looked up on the volumes.
  func restart(_ device: Device) throws(DeviceError) {
    record.abort()
    pending = [:]
    attempt += 1
    let state = try device.resumeState(of: session, after: lastCommit, lastGroup: lastGroup)
    record = try DeviceControlRecord(
      device: device, session: session, attempt: attempt, jobRecord: Fixture.jobRecord(session), continuing: state)
    nextGroup = state.nextGroup
  }
}
