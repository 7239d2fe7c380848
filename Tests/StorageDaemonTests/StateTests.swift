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

  private func opened() throws -> ReadSession {
    try ReadSession(line("read open session = \(Self.restore) \(Self.volume) \(Self.session)"))
  }

  @Test func theLineNamesVolumeAndSession() throws {
    let read = try opened()
    #expect(read.volume == Self.volume && read.session == Self.session)
  }

  @Test(arguments: ["", " x", " x y z", " x \(volume) y", " x y \(session)"])
  func otherLinesAreRefused(_ words: String) {
    #expect(throws: (any Error).self) { try ReadSession(line("read open session =\(words)")) }
  }

  @Test func blocksAreNamedByFileAndBlock() throws {
    #expect(try opened().address(line("read data = 1 > 0.259")) == BlockAddress(file: 0, block: 259))
    let last = try opened().address(line("read data = 1 > 4294967295.4294967295"))
    #expect(last == BlockAddress(file: .max, block: .max))
  }

  @Test(arguments: [
    "", "1", "1 >", "1 0.2", "1 < 0.2", "1 > 259", "1 > 0.", "1 > .1", "1 > 0.1.2", "1 > 0.-1", "1 > 0.4294967296",
    "1 > %FF",
  ])
  func otherBlocksAreRefused(_ words: String) throws {
    let read = try opened()
    #expect(throws: ControlError.self) { try read.address(line("read data = \(words)")) }
  }
}

/// Which error becomes which code.
@Suite struct RefusalTests {
  @Test(
    arguments: [
      (.unknownJob, .sessionAborted, .unreachable), (.sessionBusy, .volumeBusy, .unreachable),
      (.invalidTicket, .invalidTicket, .unreachable), (.sessionAborted("x"), .sessionAborted, .jobFailed),
      (.notFound, .sessionAborted, .unreachable), (.unknownRequest("x"), .storageRefused, .unreachable),
    ] as [(StorageError.Kind, StatusCode, VaultModel.ExitStatus)])
  func aRefusalHasItsCode(_ kind: StorageError.Kind, _ code: StatusCode, _ status: VaultModel.ExitStatus) {
    let reply = Reply.refusing(StorageError(kind))
    #expect(reply.code == code)
    #expect(PeerRefusal(reply).exitStatus == status)
    #expect(PeerRefusal(reply).description == StorageError(kind).description)
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
