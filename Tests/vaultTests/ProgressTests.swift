import Console
import Synchronization
import Testing
import VaultModel
import VaultSystem
import vault

@Suite struct ProgressLineTests {
  /// A monotonic clock that is set by hand.
  private final class SetClock: VaultClock {
    let nanoseconds = Atomic<UInt64>(0)
    func now() -> Timestamp { Timestamp(nanoseconds: 0) }
    func monotonicNanoseconds() -> UInt64 { nanoseconds.load(ordering: .relaxed) }
  }

  private let clock = SetClock()

  /// What a line wrote on a terminal.
  private func shown(_ body: (ProgressLine) -> Void) -> [String] {
    let shown = Mutex<[String]>([])
    withoutActuallyEscaping(body) { body in
      body(ProgressLine(clock: clock, sink: .terminal({ text in shown.withLock { $0.append(text) } }, width: { 80 })))
    }
    return shown.withLock { $0 }
  }

  @Test func isRewrittenFourTimesASecondAtMost() {
    let texts = shown { line in
      var progress = JobProgress()
      for millisecond in 0..<1_000 {
        clock.nanoseconds.store(UInt64(millisecond) * 1_000_000, ordering: .relaxed)
        progress.entriesSeen += 1
        line.show(progress)
      }
      line.end()
      line.end()
      clock.nanoseconds.store(5_000_000_000, ordering: .relaxed)
      line.show(progress)
    }
    #expect(texts.count == 5 && texts.last == "\r\u{1b}[K")
  }

  @Test func nothingShownIsNothingErased() {
    #expect(shown { $0.end() }.isEmpty)
  }
}

@Suite struct ProgressTextTests {
  private static func progress(path: ByteString = "/srv/data/photographs/2026/november/dscf-0001.raf") -> JobProgress {
    var progress = JobProgress()
    progress.entriesSeen = 12_345
    progress.bytesDone = 1_300_000_000
    progress.bytesRead = 500_000_000
    progress.problems = 2
    progress.totals = JobProgress.Totals(entries: 24_690, bytes: 2_600_000_000)
    progress.path = path
    return progress
  }

  private static func line(_ progress: JobProgress = progress(), width: Int) -> String {
    var estimate = ProgressEstimate()
    estimate.update(progress, seconds: 10)
    return ProgressText.line(progress, estimate, milliseconds: 10_000, width: width)
  }

  @Test func tellsEverythingWhereThereIsRoom() {
    #expect(
      Self.line(width: 200)
        == "50 %, 12,345 entries, 1.3 GB, 50.0 MB/s, 2 problems, 10 s left  "
        + "/srv/data/photographs/2026/november/dscf-0001.raf")
  }

  @Test(arguments: [
    (90, "50 %, 12,345 entries, 1.3 GB, 50.0 MB/s, 2 problems, 10 s left  /srv/dat…ber/dscf-0001.raf"),
    (64, "50 %, 12,345 entries, 1.3 GB, 50.0 MB/s, 2 problems, 10 s left"),
    (51, "50 %, 12,345 entries, 1.3 GB, 2 problems, 10 s left"), (40, "50 %, 12,345 entries, 1.3 GB, 2 problems"),
    (19, "50 %, 2 problems"), (14, "50 %, 1.3 GB"), (4, "50 %"), (2, "50"), (0, ""),
  ])
  func leavesOutWhatMattersLeast(width: Int, expected: String) {
    let line = Self.line(width: width)
    #expect(expected.unicodeScalars.count <= width)
    #expect(line == expected)
  }

  @Test func shortensTheMiddle() {
    #expect(ProgressText.shortened("0123456789", to: 10) == "0123456789")
    #expect(ProgressText.shortened("0123456789", to: 7) == "01…6789")
    #expect(ProgressText.shortened("0123456789", to: 1) == "0" && ProgressText.shortened("01", to: 0).isEmpty)
  }

  @Test func showsNoBytesThatATerminalObeys() {
    let line = Self.line(Self.progress(path: ByteString(Array("/a\u{1b}[2J\n\u{202e}".utf8) + [0xff])), width: 200)
    #expect(line.hasSuffix("/a\\x1b[2J\\x0a\\xe2\\x80\\xae\\xff"), "\(line)")
  }

  @Test func withoutTotalsTheTimeIsTold() {
    var progress = Self.progress(path: "")
    progress.totals = nil
    progress.problems = 0
    #expect(Self.line(progress, width: 80) == "10.0 s, 12,345 entries, 1.3 GB, 50.0 MB/s")
  }
}

@Suite struct ProgressEstimateTests {
  /// Feeds a job of 1,000 entries and 1 GB, a line a second.
  private static func run(_ seconds: Int, from: Int = 1, _ state: (Int) -> (entries: UInt64, bytes: UInt64))
    -> [ProgressEstimate]
  {
    var estimate = ProgressEstimate()
    return (from...seconds).map { second in
      var progress = JobProgress()
      (progress.entriesSeen, progress.bytesDone) = state(second)
      progress.bytesRead = progress.bytesDone
      progress.totals = JobProgress.Totals(entries: 1_000, bytes: 1_000_000_000)
      estimate.update(progress, seconds: Double(second))
      return estimate
    }
  }

  @Test func isRightWhenAllGoesEvenly() throws {
    for (second, estimate) in zip(1..., Self.run(99) { (UInt64($0 * 10), UInt64($0) * 10_000_000) }) {
      #expect(abs((estimate.fraction ?? 0) - Double(second) / 100) < 1e-9)
      #expect(abs(estimate.bytesPerSecond - 10_000_000) < 1)
      if second == 1 { #expect(estimate.remainingSeconds == nil, "too early") }
      if second >= 2 { #expect(abs((estimate.remainingSeconds ?? 0) - Double(100 - second)) < 0.01) }
    }
  }

  @Test func oneFileThatIsHalfOfAllIsForetold() throws {
    // All names are met in ten seconds, with half of the bytes; the rest is one file.
    let estimates = Self.run(50) { second in
      second <= 10
        ? (UInt64(second * 100), UInt64(second) * 50_000_000) : (1_000, 500_000_000 + UInt64(second - 10) * 10_000_000)
    }
    for (second, estimate) in zip(1..., estimates) where second >= 40 {
      let remaining = try #require(estimate.remainingSeconds)
      #expect(abs(remaining - Double(60 - second)) < 10, "after \(second) s: \(remaining)")
    }
  }

  @Test func doesNotFlicker() throws {
    // A second of nothing, a second of twice as much.
    let estimates = Self.run(60) { second in (UInt64(second / 2 * 20), UInt64(second / 2) * 20_000_000) }
    let remaining = estimates.dropFirst(10).compactMap(\.remainingSeconds)
    #expect(remaining.count == 50)
    for (earlier, later) in zip(remaining, remaining.dropFirst()) { #expect(abs(later - earlier) < 0.2 * earlier) }
  }

  @Test func isNeverNegativeAndKnowsWhenItDoesNotKnow() {
    let grown = Self.run(20) { (UInt64($0 * 100), UInt64($0) * 10_000_000) }
    #expect(grown.allSatisfy { ($0.remainingSeconds ?? 0) >= 0 && ($0.fraction ?? 0) <= 1 })
    #expect(grown[9].fraction != nil && grown[10].fraction == nil, "the tree is larger than it was")
    #expect(grown[15].remainingSeconds == nil)
    let stalled = Self.run(10_000) { second in (min(UInt64(second), 10), 0) }
    #expect(stalled.last?.remainingSeconds == nil && stalled.last?.bytesPerSecond == 0)
    var wild = ProgressEstimate()
    var progress = JobProgress()
    progress.totals = JobProgress.Totals(entries: 0, bytes: .max)
    progress.bytesRead = .max
    for _ in 0..<3 {
      wild.update(progress, seconds: 0)
      progress.bytesRead = 0
      wild.update(progress, seconds: 1)
    }
    #expect(wild.fraction == nil && wild.bytesPerSecond >= 0)
  }
}
