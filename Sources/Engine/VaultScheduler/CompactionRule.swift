import VaultModel

/// Whether rewriting a volume gives back enough room for what it costs.
///
/// Rewriting reads the volume and writes what is needed of it, so half of a volume must be to gain; of a small one, which
/// costs little, a tenth is enough. A volume that cannot be trusted stays, and so does one with data of a job that the next
/// backup goes on with: the job looks for its last commit behind its last group, on volumes in the order of their names.
package struct CompactionRule: Hashable, Sendable {
  /// A volume of so many bytes at most is small.
  package static let smallByteCount: UInt64 = 64 << 20
  private static let unit: UInt64 = 4096
  /// Label, retention records and replacement block, and for each job its start, a commit and its end.
  private static let unitsPerVolume: UInt64 = 3
  private static let unitsPerJob: UInt64 = 3

  package let byteCount: UInt64
  /// About what would be left of the volume.
  package let neededByteCount: UInt64
  private let status: VolumeStatus
  private let isGoingOn: Bool

  /// - Parameters:
  ///   - groupByteCount: bytes of blocks with the groups that are needed.
  ///   - jobCount: jobs on the volume that a rebuilt catalog needs to know of.
  ///   - isGoingOn: whether a job lies there that the next backup goes on with.
  package init(
    byteCount: UInt64, groupByteCount: UInt64, jobCount: UInt64, status: VolumeStatus, isGoingOn: Bool
  ) {
    let jobs = jobCount.multipliedReportingOverflow(by: Self.unitsPerJob * Self.unit)
    let needed = groupByteCount.addingReportingOverflow(jobs.partialValue)
    let all = needed.partialValue.addingReportingOverflow(Self.unitsPerVolume * Self.unit)
    let isOver = jobs.overflow || needed.overflow || all.overflow
    self.byteCount = byteCount
    neededByteCount = isOver ? byteCount : min(byteCount, all.partialValue)
    self.status = status
    self.isGoingOn = isGoingOn
  }

  /// Whether the volume is rewritten.
  package var isRewritten: Bool {
    guard status == .append || status == .full, !isGoingOn else { return false }
    return byteCount - neededByteCount >= byteCount / divisor && byteCount > neededByteCount
  }

  private var divisor: UInt64 { byteCount <= Self.smallByteCount ? 10 : 2 }

  /// The decision in words.
  package var reason: String {
    guard status == .append || status == .full else { return "its status is \(status.rawValue)" }
    if isGoingOn { return "the next backup goes on with a job that lies on it" }
    let percent = byteCount == 0 ? 100 : UInt64((Double(neededByteCount) / Double(byteCount) * 100).rounded())
    let share = "about \(percent) % of it is needed"
    return isRewritten || neededByteCount == byteCount ? share : share + ", so rewriting it would gain too little"
  }
}
