import VaultModel

/// The level that a job gets and what it compares with.
///
/// The scheduler decides and does nothing: what is published comes in, the decision and its reason go out.
package struct LevelDecision: Hashable, Sendable {
  /// A job whose entries are published, as far as a decision needs it.
  package struct Published: Hashable, Sendable {
    package let job: JobNumber
    package let sequence: UInt64

    package init(job: JobNumber, sequence: UInt64) {
      self.job = job
      self.sequence = sequence
    }
  }

  package let level: JobLevel
  /// The sequence whose state the job compares with; 0 when it compares with nothing.
  package let baseSequence: UInt64
  /// Why, in a sentence for the job's log.
  package let reason: String

  /// Decides for one job of one tree.
  ///
  /// Automatic is full the first time and incremental after. An incremental compares with the latest published job, a
  /// differential with the last full; where that does not exist, the job is full.
  ///
  /// - Parameters:
  ///   - requested: the level asked for; nil means automatic.
  ///   - latest: the tree's published job with the highest sequence.
  ///   - latestFull: the tree's published full job with the highest sequence.
  package static func decide(requested: JobLevel?, latest: Published?, latestFull: Published?) -> LevelDecision {
    switch requested {
    case .full:
      return full("Level full, as asked for.")
    case .differential:
      guard let base = latestFull else {
        return full("Level full: a differential was asked for, but this tree has no published full job yet.")
      }
      return LevelDecision(
        level: .differential, baseSequence: base.sequence,
        reason: "Level differential, as asked for: compares with job \(base.job), the last full.")
    case .incremental:
      guard let base = latest else {
        return full("Level full: an incremental was asked for, but nothing of this tree is published yet.")
      }
      return LevelDecision(
        level: .incremental, baseSequence: base.sequence,
        reason: "Level incremental, as asked for: compares with job \(base.job), the latest.")
    case nil:
      guard let base = latest else { return full("Level full: nothing of this tree is published yet.") }
      return LevelDecision(
        level: .incremental, baseSequence: base.sequence,
        reason: "Level incremental: compares with job \(base.job), the latest.")
    }
  }

  private static func full(_ reason: String) -> LevelDecision {
    LevelDecision(level: .full, baseSequence: 0, reason: reason)
  }
}
