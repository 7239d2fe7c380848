import Testing
import VaultModel
import VaultProtocol

@testable import Console
@testable import Local

@Suite struct ProblemTallyTests {
  @Test func countsKindsAndKeepsTheFirstOfEach() {
    var tally = ProblemTally<String>(kindLimit: 2)
    for (reason, path) in [("a", "/1"), ("b", "/2"), ("c", "/3"), ("b", "/4"), ("c", "/5")] as [(String, ByteString)] {
      tally.add(reason, path)
    }
    #expect(tally.kinds.map(\.reason) == ["b", "a"] && tally.kinds.map(\.count) == [2, 1])
    #expect(tally.kinds.map(\.first) == ["/2", "/1"] && tally.otherCount == 2 && tally.count == 5)
  }
}

@Suite struct ReportLineTests {
  @Test(
    arguments: [
      ("/t", "/t/etc/x: cannot make the file", "cannot make the file"), ("/t/", "/t/etc/x: a: b", "a: b"),
      ("/", "/etc/x: cannot", "cannot"), ("/t", "/etc/x: cannot", "cannot"), ("/t", "exists", "exists"),
      ("/t", "/t/etc: is not a directory", "/t/etc: is not a directory"),
    ] as [(ByteString, String, String)])
  func aReasonDoesNotRepeatThePath(target: ByteString, reason: String, expected: String) throws {
    var line = ControlLine("problem")
    line.set("path", "/etc/x")
    line.set("reason", reason)
    #expect(try RestoreProblem(line, below: target) == RestoreProblem(path: "/etc/x", reason: expected))
  }

  @Test func progressHasTotalsWhenTheDirectorKnowsThem() throws {
    var line = ControlLine("progress")
    for (key, value) in [("entries", 1), ("bytes", 2), ("read", 3), ("sent", 4), ("problems", 5)] {
      line.set(key, value)
    }
    var expected = JobProgress()
    (expected.entriesSeen, expected.bytesDone, expected.bytesRead, expected.bytesSent) = (1, 2, 3, 4)
    expected.problems = 5
    #expect(try JobProgress(line) == expected)
    line.set("path", ByteString([0x2f, 0xff]))
    var counters = JobCounters()
    (counters.entriesSeen, counters.bytesSeen) = (6, 7)
    counters.writeTotals(to: &line)
    expected.path = ByteString([0x2f, 0xff])
    expected.totals = JobProgress.Totals(entries: 6, bytes: 7)
    #expect(try JobProgress(line) == expected)
    line.fields.removeAll { $0.key == "read" }
    #expect(throws: ControlError.self) { try JobProgress(line) }
  }
}
