import Testing
import VaultDevice
import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

@testable import StorageDaemon

/// A storage daemon over volumes in memory, and the words that directors and file daemons say to it.
struct StorageDaemonFixture: Sendable {
  static let session = UniqueIdentifier(high: 0xa, low: 0xb)
  static let job = JobDescription(
    number: 1, session: session, tree: Tree(host: "web1", name: "etc"), level: .full, sequence: 1, baseSequence: 0,
    created: Timestamp(nanoseconds: 5), paths: ["/etc"])

  let listener = PipeListener(name: "sd", capacity: 1 << 20)
  let device: Device

  init() throws {
    device = Device(
      store: MemoryVolumeStore(), parameters: DeviceParameters(repository: UniqueIdentifier(high: 1, low: 1)))
    _ = try device.recover(known: [])
  }

  /// Runs the daemon while `body` talks to it.
  func run(_ body: @Sendable () async throws -> Void) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      let daemon = StorageDaemon(name: "sd", device: device, clock: SystemClock())
      group.addTask { await daemon.run(listener) }
      defer { listener.close() }
      try await body()
    }
  }

  func dial(_ role: PeerRole) async throws -> Channel {
    let channel = Channel(try listener.connect(from: role.rawValue))
    try await Hello(role: role, name: "test").dial(channel, expecting: .storageDaemon)
    return channel
  }

  /// Announces the session and opens its attribute channel.
  func announce(attempt: Int = 1, commitByteCount: Int = 1) async throws -> (control: Channel, attributes: Channel) {
    let (control, attributes) = (try await dial(.director), try await dial(.director))
    try await control.request(
      jobLine(attempt, commitByteCount), frame: (.jobRecord, Self.jobRecord), expecting: .storageOK)
    try await attributes.request(
      ControlLine("attribute data", words: [ByteString(Self.session.text)]), expecting: .storageOK)
    return (control, attributes)
  }

  func jobLine(_ attempt: Int, _ commitByteCount: Int) -> ControlLine {
    var line = ControlLine("job", words: [ByteString(Self.session.text)])
    line.set("number", 1)
    line.set("attempt", attempt)
    line.set("last-commit", 0)
    line.set("commit-bytes", commitByteCount)
    return line
  }

  static var jobRecord: [UInt8] {
    var writer = RecordWriter()
    writer.job(job)
    return Array(writer.bytes)
  }

  static var jobEndRecord: [UInt8] {
    var writer = RecordWriter()
    writer.jobEnd(JobOutcome(status: .terminated, ended: Timestamp(nanoseconds: 9), counters: JobCounters()))
    return Array(writer.bytes)
  }

  /// An attribute group that names one directory.
  static func group(_ number: UInt64, mayCommit: Bool = true, attempt: UInt32 = 1) throws -> [UInt8] {
    var records = RecordWriter()
    records.directory(number: number, path: "/etc")
    var bytes = [UInt8](repeating: 0, count: GroupHeader.byteCount + records.count)
    let position = GroupEncoder.Position(
      kind: .attributes, flags: mayCommit ? GroupHeader.mayCommitFlag : 0, session: session, attempt: attempt,
      firstEntry: number, firstOffset: 0)
    let (raw, count) = (records.bytes, records.recordCount)
    var header = try bytes.withUnsafeMutableBytes {
      try GroupEncoder.lz4.encode(raw, recordCount: count, position, into: $0)
    }
    header.number = number
    bytes.withUnsafeMutableBytes { header.encode(into: $0) }
    return Array(bytes[..<header.totalByteCount])
  }
}

extension Channel {
  /// Opens an append session and begins its data.
  func beginAppending(_ session: UniqueIdentifier = StorageDaemonFixture.session) async throws -> ByteString {
    let reply = try await request(
      ControlLine("append open session", words: [ByteString(session.text)]), expecting: .storageOK)
    let ticket = try #require(reply.line["ticket"])
    let data = try await request(ControlLine("append data", words: [ticket]), expecting: .storageOK)
    #expect(data.line["port"] == "0", "the data follows on this connection")
    try await sendFrame(.streamHeader, Array("1 64 record-groups".utf8))
    return ticket
  }

  func expectFrame(_ kind: FrameKind, location: SourceLocation = #_sourceLocation) async throws -> [UInt8] {
    let frame = try await receiveFrame()
    #expect(frame.kind == kind, sourceLocation: location)
    return frame.payload
  }

  /// The code of what a request is refused with.
  func refusal(_ verb: String, _ words: [ByteString] = []) async throws -> StatusCode? {
    do {
      try await request(ControlLine(verb, words: words), expecting: .storageOK, .readTicket)
      return nil
    } catch let refusal as PeerRefusal {
      return refusal.code
    }
  }
}

func number(_ value: UInt64) -> [UInt8] { withUnsafeBytes(of: value.littleEndian) { Array($0) } }
