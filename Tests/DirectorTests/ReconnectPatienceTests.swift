import Synchronization
import Testing
import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

@testable import Director

/// What a job that lost a daemon says, and for how long it waits.
@Suite struct ReconnectPatienceTests {
  /// A clock that goes on when somebody waits.
  private final class WaitingClock: VaultClock {
    private let nanoseconds = Mutex<UInt64>(1_000_000_000_000)
    func now() -> Timestamp { Timestamp(nanoseconds: Int64(monotonicNanoseconds())) }
    func monotonicNanoseconds() -> UInt64 { nanoseconds.withLock { $0 } }
    func pass(_ count: UInt64) { nanoseconds.withLock { $0 += count } }
  }

  private final class Told: Sendable {
    let texts = Mutex<[String]>([])
    let lossCount = Mutex(0)
  }

  /// Loses a daemon again and again; each cause is met until the next one's time comes.
  private func lose(_ causes: [(error: any Error, madeProgress: Bool)], windowSeconds: UInt64) async -> (
    texts: [String], lossCount: Int, goesOn: [Bool]
  ) {
    let (clock, told) = (WaitingClock(), Told())
    var patience = ReconnectPatience(
      windowSeconds: windowSeconds, pause: { clock.pass($0) }, onLoss: { _ in told.lossCount.withLock { $0 += 1 } },
      tell: { text in told.texts.withLock { $0.append(text) } })
    var goesOn: [Bool] = []
    for cause in causes {
      goesOn.append(await patience.wait(after: cause.error, madeProgress: cause.madeProgress, clock: clock))
    }
    return (told.texts.withLock { $0 }, told.lossCount.withLock { $0 }, goesOn)
  }

  private static let closed = TransportError(.closed, peer: "sd")
  private static let away = TransportError(.unreachable("Connection refused"), peer: "sd")

  @Test func oneCauseIsToldOnceAndThatTheWindowIsOver() async {
    // After 1, 3, 7, 15, 25 and 30 seconds.
    let (texts, lossCount, goesOn) = await lose(
      Array(repeating: (Self.away, false), count: 7), windowSeconds: 30)
    #expect(
      texts == [
        "sd cannot be reached: Connection refused. The job goes on when it can, within 30 seconds.",
        "The Reconnect Window of 30 seconds is over.",
      ])
    #expect(lossCount == 7 && goesOn == [true, true, true, true, true, true, false])
  }

  @Test func anotherCauseIsTold() async {
    let (texts, _, _) = await lose(
      [(Self.closed, false), (Self.away, false), (Self.away, false), (Self.closed, false)], windowSeconds: 600)
    #expect(texts.map { $0.hasPrefix("sd cannot") } == [false, true, false])
    let ends = ["within 600 seconds.", "within 599 seconds.", "within 593 seconds."]
    #expect(texts.count == 3 && zip(texts, ends).allSatisfy { $0.hasSuffix($1) }, "\(texts)")
  }

  @Test func progressBeginsAnew() async {
    let (texts, _, goesOn) = await lose(
      [(Self.away, false), (Self.away, true), (Self.away, false)], windowSeconds: 2)
    #expect(texts.count == 2 && goesOn == [true, true, true])
  }

  @Test func withoutAWindowNothingIsTold() async {
    let (texts, _, goesOn) = await lose([(Self.away, false)], windowSeconds: 0)
    #expect(texts.isEmpty && goesOn == [false])
  }

  @Test func mistakesAreNoLosses() {
    func refusal(_ code: StatusCode, _ status: VaultModel.ExitStatus) -> PeerRefusal {
      var reply = Reply(code)
      reply.line.set("status", status.rawValue)
      return PeerRefusal(reply)
    }
    let mistakes: [any Error] = [
      refusal(.storageRefused, .usage), refusal(.storageMistrusts, .unreachable),
      refusal(.fileDaemonMistrusts, .unreachable), TransportError(.refused("No."), peer: "sd"),
      DialRefusal.notReachable("sd"), QueueRefusal.noPlace("job"),
    ]
    for mistake in mistakes { #expect(ConfigurationMistake.isOne(mistake), "\(mistake)") }
    let losses: [any Error] = [
      Self.closed, Self.away, TransportError(.broken("Reset."), peer: "sd"), refusal(.volumeBusy, .unreachable),
      refusal(.volumeNotMounted, .unreachable), refusal(.notRecovered, .unreachable),
    ]
    for loss in losses {
      #expect(!ConfigurationMistake.isOne(loss) && ReconnectPatience.isLoss(loss), "\(loss)")
    }
    #expect(!ReconnectPatience.isLoss(refusal(.storageRefused, .usage)))
  }
}
