import VaultCrypto
import VaultModel
import VaultProtocol

/// What the next commit of a session builds on: everything that its last commit says.
package struct ResumeState: Hashable, Sendable {
  package var nextGroup: UInt64
  package var nextCommit: UInt64
  package var ranges: [CommitRecord.Range]
  package var rollingDigest: Checksum128

  /// A session of which nothing is committed.
  package static let beginning = ResumeState(nextGroup: 1, nextCommit: 1, ranges: [], rollingDigest: .zero)

  package init(nextGroup: UInt64, nextCommit: UInt64, ranges: [CommitRecord.Range], rollingDigest: Checksum128) {
    self.nextGroup = nextGroup
    self.nextCommit = nextCommit
    self.ranges = ranges
    self.rollingDigest = rollingDigest
  }

  /// The state after a commit.
  package init(after commit: CommitRecord) {
    self.init(
      nextGroup: (commit.ranges.last?.groups.upperBound ?? 0) + 1, nextCommit: commit.number + 1, ranges: commit.ranges,
      rollingDigest: Checksum128(high: commit.rollingDigest.high, low: commit.rollingDigest.low))
  }

  /// The commit that the state follows; nil at the beginning.
  package var lastCommit: CommitRecord? {
    guard nextCommit > 1 else { return nil }
    return CommitRecord(
      number: nextCommit - 1, rollingDigest: (rollingDigest.high, rollingDigest.low), ranges: ranges)
  }

  /// The next commit's record when it adds groups of one attempt, up to `lastGroup`, with these digests.
  func commit(adding digests: [Checksum128], attempt: UInt32) -> CommitRecord {
    let digest = RollingDigest.extend(rollingDigest, digests)
    let lastGroup = nextGroup + UInt64(digests.count) - 1
    var ranges = ranges
    if let last = ranges.last, last.attempt == attempt {
      ranges[ranges.count - 1].groups = last.groups.lowerBound...lastGroup
    } else {
      ranges.append(CommitRecord.Range(attempt: attempt, groups: nextGroup...lastGroup))
    }
    return CommitRecord(number: nextCommit, rollingDigest: (digest.high, digest.low), ranges: ranges)
  }
}

/// The digest over all groups that a session's commits cover.
package enum RollingDigest {
  /// XXH3-128 over the digest before and the digests of the groups that are added, in order.
  package static func extend(_ previous: Checksum128, _ digests: [Checksum128]) -> Checksum128 {
    var bytes = ByteWriter(capacity: 16 * (digests.count + 1))
    bytes.append(previous)
    for digest in digests { bytes.append(digest) }
    return XXH3.checksum128(bytes.bytes)
  }
}

extension ByteWriter {
  fileprivate mutating func append(_ checksum: Checksum128) {
    integer(checksum.high.byteSwapped)
    integer(checksum.low.byteSwapped)
  }
}
