import Testing
import VaultDevice
import VaultModel
import VaultProtocol

@testable import StorageDaemon

func line(_ text: String) throws -> ControlLine {
  try Array(text.utf8).withUnsafeBytes { try ControlLine(decoding: $0) }
}

/// The states of an append session: which request is taken in which state.
@Suite struct AppendSessionTests {
  enum Step: CaseIterable, Sendable {
    case data
    case dataEnd
    case end
    case close
    case abort
  }

  private static let job = UniqueIdentifier(high: 1, low: 2)

  /// What the session is after the steps, or the code of the first refusal.
  private static func run(_ steps: [Step]) -> Result<AppendSession.State, StorageError> {
    var session = AppendSession(job: job)
    do throws(StorageError) {
      for step in steps {
        switch step {
        case .data: try session.dataRequested()
        case .dataEnd: session.dataEnded()
        case .end: try session.endRequested()
        case .close: try session.closeRequested()
        case .abort: session.aborted("why")
        }
      }
      return .success(session.state)
    } catch {
      return .failure(error)
    }
  }

  @Test(
    arguments: [
      ([], .open), ([.data], .data), ([.data, .end], .ended), ([.end], .ended), ([.data, .end, .close], .closed),
      ([.data, .close], .closed), ([.abort], .aborted("why")), ([.data, .abort], .aborted("why")),
      ([.data, .dataEnd, .data], .data), ([.data, .dataEnd], .open), ([.end, .dataEnd], .ended),
      ([.data, .end, .abort], .aborted("why")), ([.data, .end, .close, .abort], .closed),
    ] as [([Step], AppendSession.State)])
  func itMoves(_ steps: [Step], _ state: AppendSession.State) {
    #expect(Self.run(steps) == .success(state))
  }

  @Test(
    arguments: [
      ([.data, .data], .volumeBusy), ([.data, .end, .data], .volumeBusy), ([.abort, .data], .sessionAborted),
      ([.abort, .end], .sessionAborted), ([.abort, .close], .sessionAborted), ([.close, .data], .invalidTicket),
      ([.close, .end], .invalidTicket), ([.close, .close], .invalidTicket),
    ] as [([Step], StatusCode)])
  func itRefuses(_ steps: [Step], _ code: StatusCode) throws {
    guard case .failure(let error) = Self.run(steps) else {
      Issue.record("nothing was refused")
      return
    }
    #expect(error.code == code)
  }

  @Test func theReasonOfAnAbortionIsKept() {
    #expect(Self.run([.abort, .close]) == .failure(StorageError(.sessionAborted("why"))))
  }
}

/// When commits are due, and what a line of a job says about it.
@Suite struct CommitLimitsTests {
  @Test(
    arguments: [
      ("job", 30_000_000_000, 1 << 30), ("job = commit-seconds=0 commit-bytes=0", 0, 0),
      ("job = commit-seconds=86400", 86_400_000_000_000, 1 << 30),
      ("job = commit-bytes=18446744073709551615", 30_000_000_000, UInt64.max),
    ] as [(String, UInt64, UInt64)])
  func theyAreRead(_ text: String, _ nanoseconds: UInt64, _ byteCount: UInt64) throws {
    let limits = try CommitLimits(line(text))
    #expect(limits.nanoseconds == nanoseconds && limits.byteCount == byteCount)
  }

  @Test(arguments: [
    "job = commit-seconds=86401", "job = commit-seconds=-1", "job = commit-bytes=x", "job = commit-seconds=%FF",
    "job = commit-seconds=18446744073709551615",
  ])
  func theyAreBounded(_ text: String) {
    #expect(throws: ControlError.self) { try CommitLimits(line(text)) }
  }
}

/// Requests to read, in the words of seed 001.
@Suite struct ReadSessionTests {
  private static let restore = UniqueIdentifier(high: 1, low: 1)
  private static let volume = UniqueIdentifier(high: 2, low: 2)
  private static let session = UniqueIdentifier(high: 3, low: 3)

  private func opened(_ words: String) throws -> ReadSession {
    let request = try ReadRequest(line("read open session = \(Self.restore) \(words)"))
    let device = Device(
      store: MemoryVolumeStore(), parameters: DeviceParameters(repository: UniqueIdentifier(high: 1, low: 1)))
    return ReadSession(request, device: device, volume: Self.volume)
  }

  /// The volume is read ahead while blocks come one after another, in steps, and not where they do not.
  @Test func theVolumeIsReadAhead() throws {
    var session = try opened("\(short) order=any")
    let mebibyte: UInt64 = 1 << 20
    func ahead(_ block: UInt32, file: UInt32 = 0) throws -> Range<UInt64>? {
      try session.advance(to: BlockAddress(file: file, block: block))
      return session.ahead
    }
    #expect(try ahead(0) == nil, "one block says nothing")
    #expect(try ahead(256) == mebibyte..<9 * mebibyte)
    for block in stride(from: UInt32(512), to: 1280, by: 256) { #expect(try ahead(block) == nil) }
    #expect(try ahead(1280) == 9 * mebibyte..<13 * mebibyte, "half of it is used")
    #expect(try ahead(1280) == nil && ahead(256) == nil, "backwards")
    #expect(try ahead(768) == 3 * mebibyte..<11 * mebibyte, "from where it goes on")
    #expect(try ahead(5000) == nil, "far away")
    #expect(try ahead(5001, file: 1) == nil && ahead(2, file: 2) == nil, "another file")
    #expect(try ahead(.max, file: 2) == nil && ahead(.max, file: .max) == nil)
  }

  private var short: String { "\(Self.volume) \(Self.session)" }
  private var full: String { "vol-0001 0 5 0 9 \(Self.session)" }

  @Test func theLineNamesVolumeAndSession() throws {
    let request = try ReadRequest(line("read open session = \(Self.restore) \(short) order=any"))
    #expect(request.volume == ByteString(Self.volume.text) && request.session == Self.session)
    #expect(request.range == nil && request.password == nil && request.isInAnyOrder)
    #expect(try ReadRequest(line("read open session = x \(short) secret")).password == "secret")
  }

  @Test func theSeedsLineNamesBlocks() throws {
    let request = try ReadRequest(line("Read open session = \(Self.restore) \(full)"))
    #expect(request.volume == "vol-0001" && request.session == Self.session)
    #expect(request.range == BlockAddress(block: 5)...BlockAddress(block: 9))
    #expect(request.password == nil && !request.isInAnyOrder)
    #expect(try ReadRequest(line("read open session = x \(full) %20")).password == " ")
  }

  @Test(arguments: [
    "", " x", " x y z", " x \(volume) y", " x y", " x v 0 5 0 9", " x v 0 9 0 5 \(session)", " x v 0 x 0 5 \(session)",
    " x v 0 5 0 9 \(session) p more",
  ])
  func otherLinesAreRefused(_ words: String) {
    #expect(throws: (any Error).self) { try ReadRequest(line("read open session =\(words)")) }
  }

  @Test func blocksAreNamedByFileAndBlock() throws {
    let read = try opened(short)
    #expect(try read.address(line("read data = 1 > 0.259")) == BlockAddress(file: 0, block: 259))
    #expect(try read.address(line("read data = 1 > 259")) == BlockAddress(file: 0, block: 259))
    let last = try read.address(line("read data = 1 > 4294967295.4294967295"))
    #expect(last == BlockAddress(file: .max, block: .max))
  }

  @Test(arguments: [
    "", "1", "1 >", "1 0.2", "1 < 0.2", "1 > x", "1 > 0.", "1 > .1", "1 > 0.1.2", "1 > 0.-1", "1 > 0.4294967296",
    "1 > %FF", "1 > .",
  ])
  func otherBlocksAreRefused(_ words: String) throws {
    let read = try opened(short)
    #expect(throws: ControlError.self) { try read.address(line("read data = \(words)")) }
  }

  @Test func blocksAscend() throws {
    var read = try opened(full)
    #expect(throws: StorageError(.blockOrder(BlockAddress(block: 5)))) { try read.advance(to: BlockAddress(block: 4)) }
    for block: UInt32 in [5, 5, 7] { try read.advance(to: BlockAddress(block: block)) }
    #expect(throws: StorageError(.blockOrder(BlockAddress(block: 7)))) { try read.advance(to: BlockAddress(block: 6)) }
    var other = try opened(short + " order=any")
    for block: UInt32 in [7, 3, 9] { try other.advance(to: BlockAddress(block: block)) }
  }
}

/// Which error becomes which code.
@Suite struct RefusalTests {
  @Test(
    arguments: [
      (.unknownJob, .sessionAborted, .unreachable), (.sessionBusy, .volumeBusy, .unreachable),
      (.invalidTicket, .invalidTicket, .unreachable), (.sessionAborted("x"), .sessionAborted, .jobFailed),
      (.notFound, .sessionAborted, .unreachable), (.unknownRequest("x"), .storageRefused, .unreachable),
      (.notificationPending, .endOfVolume, .unreachable), (.endOfVolume, .endOfVolume, .damaged),
      (.endOfFile, .endOfFile, .damaged), (.volumeNotMounted("v"), .volumeNotMounted, .damaged),
      (.notMounted("d", "r"), .volumeNotMounted, .unreachable), (.noSuchDevice("d"), .storageRefused, .usage),
      (.badVolumePrefix("p"), .storageRefused, .usage), (.deviceBusy("d", 1), .volumeBusy, .unreachable),
    ] as [(StorageError.Kind, StatusCode, VaultModel.ExitStatus)])
  func aRefusalHasItsCode(_ kind: StorageError.Kind, _ code: StatusCode, _ status: VaultModel.ExitStatus) {
    let reply = Reply.refusing(StorageError(kind))
    #expect(reply.code == code)
    #expect(PeerRefusal(reply).exitStatus == status)
    #expect(PeerRefusal(reply).description == StorageError(kind).description)
  }

  /// The seed gives some codes two meanings: the words tell them apart.
  @Test(
    arguments: [
      (.notificationPending, "3201 Notification pending"), (.endOfVolume, "3201 End of volume"),
      (.endOfFile, "3401 End of file"), (.sessionBusy, "3502 Volume busy"),
      (.tooManySessions(64), "3502 Volume busy"), (.volumeNotMounted("v"), "3503 Volume not mounted"),
      (.invalidTicket, "3504 Invalid ticket number"), (.sessionAborted("x"), "3505 Session aborted"),
      (.notFound, "3505 Session not found"), (.unknownJob, "3505 Session not found"),
      (.badData("x"), "3999 Failed"),
    ] as [(StorageError.Kind, String)])
  func theWordsAreTheSeeds(_ kind: StorageError.Kind, _ words: String) {
    #expect(Reply.refusing(StorageError(kind)).line.verb == words)
  }

  @Test func onlyWhatAnotherAttemptMayMendAbortsTheSession() {
    let io = StorageError.abortion(DeviceError(.io(call: "fdatasync", errno: .ioError)))
    #expect((io as? StorageError)?.code == .sessionAborted)
    let full = StorageError.abortion(DeviceError(.groupRefused(.wrongLength)))
    #expect(full is DeviceError)
    #expect(Reply.refusing(full).code == .storageRefused)
    #expect(Reply.refusing(CancellationError()).code == .storageRefused)
  }
}
