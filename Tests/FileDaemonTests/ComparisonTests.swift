import Testing
import VaultModel

@testable import FileDaemon

/// What an entry counts as when reading it told.
@Suite struct ComparisonTests {
  private static func counted(_ isSame: Bool, onlyDoubted: Bool) -> [UInt64] {
    var counters = JobCounters()
    counters.count(Comparison(known: stored(1, size: 5), onlyDoubted: onlyDoubted), isSame: isSame)
    return [counters.changedChecksum, counters.changedAttributes, counters.unchanged]
  }

  @Test func everyOutcome() {
    #expect(Self.counted(true, onlyDoubted: true) == [0, 0, 1])
    #expect(Self.counted(true, onlyDoubted: false) == [0, 1, 0])
    #expect(Self.counted(false, onlyDoubted: true) == [1, 0, 0])
    #expect(Self.counted(false, onlyDoubted: false) == [1, 0, 0])
    #expect(Comparison(known: .none, onlyDoubted: true).digest == nil)
  }

  @Test func countersStayWhatACatalogHolds() {
    var sum = JobCounters()
    var worked = JobCounters()
    worked.bytesKnown = UInt64(Int64.max) - 1
    worked.changedChecksum = 2
    worked.new = 3
    for _ in 0..<3 { sum.add(worked: worked) }
    #expect(sum.bytesKnown == UInt64(Int64.max) && sum.changedChecksum == 6 && sum.new == 0)
    sum.bytesSent = .max
    #expect(sum.bytesChanged == .max)
  }
}
