import Testing
import VaultFileSet
import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

@testable import FileDaemon

/// What the director orders, out of lines and frames.
@Suite(.timeLimit(.minutes(1))) struct OrderTests {
  private static let name = "00000000-0000-000a-0000-00000000000b"

  @Test func aNewBackup() throws {
    let order = try BackupOrder(line("backup = \(Self.name) number=7 attempt=1 compare=yes"), paths: ["/a"])
    #expect(order.session == session && order.attempt == 1 && order.compares && order.files.paths == ["/a"])
    #expect(order.nextEntry == 1 && order.nextGroup == 1 && order.position == nil && order.halfSent == nil)
    #expect(order.compression == .lz4)
    let chosen = try BackupOrder(line("backup = \(Self.name) attempt=1 compare=no compression=zstd:19"), paths: [])
    #expect(chosen.compression == .zstd(level: 19))
  }

  @Test func aBackupThatGoesOn() throws {
    var request = try line(
      """
      backup = \(Self.name) attempt=2 compare=no next-entry=40 next-group=9 directory=/a%20b name=c \
      half-sent-offset=983016 half-sent-bytes=987136
      """)
    var records = RecordWriter()
    records.directory(number: 1, path: "/big")
    records.entry(index: 39, directory: 1, Entry(name: "file", attributes: regular(9999), content: .own))
    request.set("half-sent-entry", ByteString(records.bytes))
    let order = try BackupOrder(request, paths: [])
    #expect(order.nextEntry == 40 && order.nextGroup == 9)
    #expect(order.position == CanonicalPosition(directory: DirectoryKey(path: "/a b"), name: "c"))
    #expect(order.halfSent?.position == CanonicalPosition(directory: DirectoryKey(path: "/big"), name: "file"))
    #expect(order.halfSent?.file.index == 39)
    #expect(order.halfSent?.file.committed == CommittedGroups(lastOffset: 983_016, rawByteCount: 987_136))
    #expect(order.halfSent?.file.attributes == regular(9999))
  }

  @Test(arguments: [
    "backup", "backup = x attempt=1 compare=no", "backup = \(name) compare=no", "backup = \(name) attempt=1",
    "backup = \(name) attempt=1 compare=no next-entry=x", "backup = \(name) attempt=-1 compare=no",
    "backup = \(name) attempt=1 compare=no half-sent-entry=xyz half-sent-offset=0 half-sent-bytes=1",
    "backup = \(name) attempt=1 compare=no half-sent-entry=",
    "backup = \(name) attempt=1 compare=no compression=zip", "backup = \(name) attempt=1 compare=no compression=%FF",
  ])
  func otherBackupsAreRefused(_ text: String) {
    #expect(throws: (any Error).self) { try BackupOrder(line(text), paths: []) }
  }

  @Test func whatABackupLeavesOut() throws {
    let plain = try WalkOrder(line("backup = compare=no"), paths: ["/a"], patterns: [])
    #expect(!plain.crossesFileSystems && plain.exclusions.patterns.isEmpty && !plain.exclusions.leavesOutCaches)
    #expect(plain.exclusions.largestFile == nil)
    let order = try EstimateOrder(
      line(
        "estimate = compare=yes list=yes cross-file-systems=yes exclude-caches=yes exclude-larger-than=9 directory=/a name=b"
      ), paths: ["/a"], patterns: ["*.o", "!/x/"])
    #expect(order.compares && order.listsChanges && order.files.crossesFileSystems)
    #expect(order.files.exclusions.patterns == [try ExclusionPattern("*.o"), try ExclusionPattern("!/x/")])
    #expect(order.files.exclusions.leavesOutCaches && order.files.exclusions.largestFile == 9)
    #expect(order.position == CanonicalPosition(directory: DirectoryKey(path: "/a"), name: "b"))
    #expect(throws: ControlError.self) {
      try WalkOrder(line("backup = exclude-larger-than=-1"), paths: [], patterns: [])
    }
    #expect(throws: ExclusionPatternError.self) { try WalkOrder(line("backup"), paths: [], patterns: ["["]) }
  }

  @Test(arguments: OverwritePolicy.allCases) func aRestore(_ policy: OverwritePolicy) throws {
    let order = try RestoreOrder(line("restore = \(Self.name) target=/t overwrite=\(policy.rawValue)"))
    #expect(order.restore == session && order.destination == .directory("/t", policy) && order.strippedCount == 0)
    let trial = try RestoreOrder(
      line("restore = \(Self.name) mode=dry-run target=/t overwrite=\(policy.rawValue) strip=3"))
    #expect(trial.destination == .trial("/t", policy) && trial.strippedCount == 3)
    #expect(try RestoreOrder(line("restore = \(Self.name) mode=stream")).destination == .stream)
  }

  @Test(arguments: [
    "restore", "restore = \(name) overwrite=always", "restore = \(name) target=/t",
    "restore = \(name) target=/t overwrite=maybe", "restore = \(name) target=t overwrite=always",
    "restore = x target=/t overwrite=always", "restore = \(name) mode=dry-run target=/t",
    "restore = \(name) mode=all target=/t overwrite=always",
    "restore = \(name) target=/t overwrite=always strip=-1", "restore = \(name) target=/t overwrite=always strip=x",
  ])
  func otherRestoresAreRefused(_ text: String) {
    #expect(throws: ControlError.self) { try RestoreOrder(line(text)) }
  }

  @Test func whereARestoreReads() throws {
    let text = "restore = \(Self.name) mode=stream"
    #expect(try RestoreOrder.storageCount(line(text)) == nil && RestoreOrder(line(text)).storages == .one(nil))
    let key = String(repeating: "0f", count: 32)
    let route = StorageRoute(
      storage: "one", host: "h", port: 9103, job: session, key: [UInt8](repeating: 15, count: 32))
    let one = try line("\(text) storage=one address=h port=9103 job=\(Self.name) key=\(key)")
    #expect(try RestoreOrder(one).storages == .one(route))
    let several = try line("\(text) storages=256")
    #expect(try RestoreOrder.storageCount(several) == 256)
    let shares = [StorageShare(route: route, volumes: [UniqueIdentifier(high: 1, low: 2)])]
    #expect(try RestoreOrder(several, shares: shares).storages == .several(shares))
    for count in ["257", "-1", "x"] {
      #expect(throws: ControlError.self) { try RestoreOrder.storageCount(line("\(text) storages=\(count)")) }
    }
  }

  @Test func aVolumeIsReadWhereItIs() throws {
    let (first, second) = (Channel(PipeTransport.pair().0), Channel(PipeTransport.pair().0))
    let volumes = (1...4).map { UniqueIdentifier(high: 0, low: $0) }
    let channels = StorageChannels([(first, [volumes[0], volumes[1]]), (second, [volumes[2]])])
    #expect(volumes.map { channels.channel(of: $0) === first } == [true, true, false, false])
    #expect(channels.channel(of: volumes[2]) === second && channels.channel(of: volumes[3]) == nil)
    #expect(StorageChannels(only: second).channel(of: volumes[3]) === second)
  }

  // MARK: The plan

  private static func plan(_ frameCount: UInt32, _ rows: [(ByteString, Entry)]) -> [UInt8] {
    var payload = ByteWriter()
    payload.integer(frameCount)
    var records = RecordWriter()
    for (number, row) in rows.enumerated() {
      records.directory(number: UInt64(number), path: row.0)
      records.entry(index: 0, directory: UInt64(number), row.1)
    }
    payload.append(records.bytes)
    return payload.array
  }

  private static func locations(_ session: UniqueIdentifier, _ groups: [GroupLocation]) -> [UInt8] {
    var payload = ByteWriter()
    payload.identifier(session)
    for group in groups { LocationCodec.write(group, to: &payload) }
    return payload.array
  }

  /// Feeds a plan's frames and gives back its batches and the passes that were asked for.
  private static func receive(_ frames: [(FrameKind, [UInt8])]) async throws -> (batches: [PlanBatch], asked: [UInt8]) {
    let (here, there) = PipeTransport.pair(capacity: 1 << 20)
    let director = Channel(there)
    for (kind, payload) in frames { try await director.sendFrame(kind, payload) }
    let batches = try await elsewhere {
      var batches: [PlanBatch] = []
      let plan = RestorePlan(director: Channel(here), owners: OwnerNumbers(isNumeric: false))
      try plan.forEachBatch(ofPass: 2) { batches.append($0) }
      return batches
    }
    var asked: [UInt8] = []
    for _ in 0...batches.count { asked += try await director.receiveFrame().payload }
    return (batches, asked)
  }

  @Test func aPlanComesInBatches() async throws {
    let other = UniqueIdentifier(high: 1, low: 1)
    let entry = Entry(name: "f", attributes: regular(5), content: stored(1, size: 5))
    let (batches, asked) = try await Self.receive([
      (.plan, Self.plan(3, [("/a", entry), ("/b", entry)])),
      (.planLocations, Self.locations(session, [group(1, entry: 1)])),
      (.planLocations, Self.locations(session, [group(2, entry: 2)])),
      (.planLocations, Self.locations(other, [group(1, entry: 1)])), (.plan, Self.plan(0, [("/c", entry)])),
      (.planEnd, []),
    ])
    #expect(batches.map { $0.rows.map(\.directory) } == [["/a", "/b"], ["/c"]])
    #expect(batches[0].rows[0].entry == entry)
    #expect(batches[0].locations.map(\.session) == [session, other], "a session's groups may come in several frames")
    #expect(batches[0].locations.map { $0.locations.map(\.group) } == [[1, 2], [1]])
    #expect(asked == [2, 2, 2], "one batch ahead")
  }

  @Test(
    arguments: [
      (0, "/", "/"), (0, "/a/b", "/a/b"), (1, "/", nil), (1, "/a", "/"), (1, "/a/b", "/b"), (2, "/a/b", "/"),
      (3, "/a/b", nil),
    ] as [(Int, ByteString, ByteString?)])
  func pathsLoseComponents(_ count: Int, _ path: ByteString, _ expected: ByteString?) {
    #expect(RestorePlan.stripping(count, from: path) == expected)
  }

  @Test(
    arguments: [
      [(.state, [])], [(.plan, [])], [(.plan, [0, 0, 0, 0, 1])], [(.plan, [1, 0, 0, 0]), (.planEnd, [])],
      [(.plan, [1, 0, 0, 0]), (.planLocations, [1, 2, 3])],
      [(.plan, [1, 0, 0, 0]), (.planLocations, [UInt8](repeating: 0, count: 17))],
    ] as [[(FrameKind, [UInt8])]])
  func whatIsNoPlanIsRefused(_ frames: [(FrameKind, [UInt8])]) async throws {
    await #expect(throws: (any Error).self) { try await Self.receive(frames) }
  }
}
