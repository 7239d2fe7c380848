import Synchronization
import Testing
import VaultCatalog
import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

@testable import Director

/// The director's side of the frames that go to and fro while a backup runs.
@Suite(.timeLimit(.minutes(1))) struct StateServerTests {
  private static let end: [UInt8] = Array("2000 OK = state=complete\n".utf8)

  /// Serves a file daemon that says these things at once and ends the connection if told so.
  private func serve(
    _ frames: [(FrameKind, [UInt8])], sequence: UInt64 = 0, catalog: SQLiteCatalog, closing: Bool = false
  ) async throws -> (line: ControlLine, answers: [(kind: FrameKind, payload: [UInt8])]) {
    let (here, there) = PipeTransport.pair(capacity: 4 << 20)
    let fileDaemon = Channel(there)
    for (kind, payload) in frames { try await fileDaemon.sendFrame(kind, payload) }
    if closing { fileDaemon.close() }
    let job = JobDescription(
      number: 9, session: session(9), tree: home, level: .incremental, sequence: 9, baseSequence: sequence,
      created: Timestamp(nanoseconds: 1), paths: ["/"])
    async let line = onThread(name: "server") {
      let channel = Channel(here)
      defer { channel.close() }
      var server = StateServer(channel: channel, catalog: catalog, job: job, isContinued: false) { _ in }
      return try server.run()
    }
    var answers: [(kind: FrameKind, payload: [UInt8])] = []
    while !closing, let frame = try? await fileDaemon.receiveFrame() { answers.append(frame) }
    return (try await line, answers)
  }

  /// An estimate's findings go on to the console as they are; a backup has none, and an estimate asks for no inodes.
  @Test func onlyAnEstimateTellsFindings() async throws {
    let catalog = try emptyCatalog()
    for kind in [FrameKind.changes, .listing] {
      await #expect(throws: TransportError.self) { try await serve([(kind, [])], catalog: catalog, closing: true) }
    }
    let (here, there) = PipeTransport.pair(capacity: 1 << 20)
    let fileDaemon = Channel(there)
    for (kind, payload) in [(.changes, [1]), (.listing, [2]), (.jobEnd, Self.end)] as [(FrameKind, [UInt8])] {
      try await fileDaemon.sendFrame(kind, payload)
    }
    try await fileDaemon.sendFrame(.inodeQuestions, [])
    let told = Mutex<[String]>([])
    let ends = try await onThread(name: "server") {
      var server = StateServer(
        channel: Channel(here), catalog: catalog, tree: home, baseSequence: 0, onProgress: { _ in },
        onFinding: { kind, payload in told.withLock { $0.append("\(kind) \(payload)") } })
      let first = try server.run()
      return (first.verb, (try? server.run()) == nil)
    }
    #expect(ends == ("2000 OK", true))
    #expect(told.withLock { $0 } == ["changes [1]", "listing [2]"])
  }

  private func names(_ payload: [UInt8]) throws -> [String] {
    try payload.withUnsafeBytes { bytes in
      var reader = RecordReader(bytes)
      var names: [String] = []
      var directory: ByteString = "?"
      while let record = try reader.next() {
        switch record {
        case .directory(_, let path): directory = ByteString(path)
        case .entry(_, _, let entry): names.append("\(directory) \(entry.name)")
        default: Issue.record("a record that is no state")
        }
      }
      return names
    }
  }

  @Test func everyRequestHasAnAnswer() async throws {
    let catalog = try emptyCatalog()
    let base = try catalog.publishJob(["/a/", "/b", "/a/x"], of: home, ended: 1)
    let (line, answers) = try await serve(
      [(.stateRequest, []), (.stateRequest, []), (.stateRequest, []), (.jobEnd, Self.end)],
      sequence: base.description.sequence, catalog: catalog)
    #expect(line["state"] == "complete")
    #expect(answers.map(\.kind) == [.state, .stateEnd, .stateEnd])
    #expect(try names(answers[0].payload) == ["/ a", "/ b", "/a x"])
  }

  @Test func aJobThatComparesWithNothingHasNoState() async throws {
    let (_, answers) = try await serve([(.stateRequest, []), (.jobEnd, Self.end)], catalog: try emptyCatalog())
    #expect(answers.map(\.kind) == [.stateEnd])
  }

  @Test func noFrameIsLongerThanTheProtocolTakes() async throws {
    let catalog = try emptyCatalog()
    let long = (0..<600).map {
      ByteString("/\($0 + 1000)" + String(repeating: "/" + String(repeating: "d", count: 200), count: 40) + "/f")
    }
    let base = try catalog.publishJob(long, of: home, ended: 1)
    let requests = [(FrameKind, [UInt8])](repeating: (.stateRequest, []), count: 12)
    let (_, answers) = try await serve(
      requests + [(.jobEnd, Self.end)], sequence: base.description.sequence, catalog: catalog)
    #expect(answers.last?.kind == .stateEnd)
    #expect(try answers.flatMap { try names($0.payload) }.count == 600)
  }

  @Test func inodesAreAnsweredInOrder() async throws {
    let catalog = try emptyCatalog()
    // The fixture's inodes are the places in the list, its files have five bytes and no times.
    let base = try catalog.publishJob(["/a", "/b"], of: home, ended: 1)
    var questions = ByteWriter()
    for inode in [1, 7] as [UInt64] {
      LocationCodec.writeQuestion(
        device: 0, inode: inode, size: 5, modified: FileTime(seconds: 0, nanoseconds: 0), to: &questions)
    }
    let (_, answers) = try await serve(
      [(.inodeQuestions, questions.array), (.jobEnd, Self.end)], sequence: base.description.sequence, catalog: catalog)
    #expect(answers.map(\.kind) == [.inodeAnswers])
    let known = try answers[0].payload.withUnsafeBytes { bytes in
      var reader = ByteReader(bytes, "answers")
      return [try LocationCodec.answer(from: &reader), try LocationCodec.answer(from: &reader)]
    }
    #expect(known == [.stored(ContentIdentifier(session: session(1), index: 2), sealed(5)), nil])
  }

  /// A file daemon asks ahead: it may have ended before its last question is answered, and its last word still counts.
  @Test func theLastWordIsHeardWhenNobodyWaitsForAnAnswer() async throws {
    let (line, _) = try await serve(
      [(.stateRequest, []), (.stateRequest, []), (.jobEnd, Self.end)], catalog: try emptyCatalog(), closing: true)
    #expect(line["state"] == "complete")
  }

  @Test func aFileDaemonThatGoesWithoutALastWordIsAnError() async throws {
    await #expect(throws: TransportError.self) {
      try await serve([(.stateRequest, [])], catalog: try emptyCatalog(), closing: true)
    }
  }

  @Test(
    arguments: [(.planRequest, []), (.inodeQuestions, [1, 2, 3]), (.jobEnd, []), (.progress, [0xff, 0x0a])]
      as [(FrameKind, [UInt8])])
  func whatHasNoBusinessHereIsRefused(_ kind: FrameKind, _ payload: [UInt8]) async throws {
    await #expect(throws: (any Error).self) {
      try await serve([(kind, payload), (.jobEnd, Self.end)], catalog: try emptyCatalog())
    }
  }
}
