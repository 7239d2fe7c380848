import Testing
import VaultModel
import VaultScheduler

@Suite struct LevelDecisionTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let requested: JobLevel?
    let latest: LevelDecision.Published?
    let latestFull: LevelDecision.Published?
    let level: JobLevel
    let base: UInt64
    let reason: String
    var testDescription: String {
      "\(requested.map(\.rawValue) ?? "auto"), \(latest.map { "job \($0.job)" } ?? "nothing") → \(level)"
    }
  }

  private static let third = LevelDecision.Published(job: 3, sequence: 30)
  private static let seventh = LevelDecision.Published(job: 7, sequence: 70)

  static let cases: [Case] = [
    Case(
      requested: nil, latest: nil, latestFull: nil, level: .full, base: 0,
      reason: "Level full: nothing of this tree is published yet."),
    Case(
      requested: nil, latest: seventh, latestFull: third, level: .incremental, base: 70,
      reason: "Level incremental: compares with job 7, the latest."),
    Case(requested: .full, latest: nil, latestFull: nil, level: .full, base: 0, reason: "Level full, as asked for."),
    Case(
      requested: .full, latest: seventh, latestFull: third, level: .full, base: 0, reason: "Level full, as asked for."),
    Case(
      requested: .incremental, latest: nil, latestFull: nil, level: .full, base: 0,
      reason: "Level full: an incremental was asked for, but nothing of this tree is published yet."),
    Case(
      requested: .incremental, latest: seventh, latestFull: third, level: .incremental, base: 70,
      reason: "Level incremental, as asked for: compares with job 7, the latest."),
    Case(
      requested: .differential, latest: nil, latestFull: nil, level: .full, base: 0,
      reason: "Level full: a differential was asked for, but this tree has no published full job yet."),
    Case(
      requested: .differential, latest: seventh, latestFull: third, level: .differential, base: 30,
      reason: "Level differential, as asked for: compares with job 3, the last full."),
    Case(
      requested: .differential, latest: seventh, latestFull: nil, level: .full, base: 0,
      reason: "Level full: a differential was asked for, but this tree has no published full job yet."),
  ]

  @Test(arguments: cases) func decides(_ rule: Case) {
    let decision = LevelDecision.decide(requested: rule.requested, latest: rule.latest, latestFull: rule.latestFull)
    #expect(decision.level == rule.level)
    #expect(decision.baseSequence == rule.base)
    #expect(decision.reason == rule.reason)
  }
}
