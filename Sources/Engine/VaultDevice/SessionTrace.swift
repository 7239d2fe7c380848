import VaultCrypto
import VaultModel
import VaultProtocol

/// Where a block was met: the volume's place in the scan's table, and its bytes there.
struct BlockPosition: Hashable, Comparable, Sendable {
  var volume: Int
  var address: BlockAddress
  var byteCount: UInt64

  init(volume: Int, address: BlockAddress, byteCount: Int) {
    self.volume = volume
    self.address = address
    self.byteCount = UInt64(byteCount)
  }

  var end: UInt64 { address.byteOffset + byteCount }

  static func < (left: BlockPosition, right: BlockPosition) -> Bool {
    (left.volume, left.address) < (right.volume, right.address)
  }
}

/// A group that was met in a block that verifies.
struct FoundGroup: Sendable {
  var number: UInt64
  var digest: Checksum128
  var kind: GroupKind
  var firstEntry: UInt64
  var firstOffset: UInt64
  var rawLength: UInt32
  var totalLength: UInt32
  var position: BlockPosition

  init(_ header: GroupHeader, _ position: BlockPosition) {
    number = header.number
    digest = header.digest
    kind = header.kind
    firstEntry = header.firstEntry
    firstOffset = header.firstOffset
    rawLength = header.rawLength
    totalLength = UInt32(header.totalByteCount)
    self.position = position
  }
}

/// A commit record that was met.
struct FoundCommit: Sendable {
  var record: CommitRecord
  var attempt: UInt32
  var position: BlockPosition
}

/// What was met of one session.
struct SessionTrace: Sendable {
  var job: JobDescription?
  /// Session-start blocks by attempt.
  var starts: [UInt32: BlockPosition] = [:]
  /// Commits by number, from commit groups; of two with one number the later attempt's.
  private var commits: [UInt64: FoundCommit] = [:]
  /// The commits that attempts continue from, as their session-start blocks repeat them, by attempt.
  private var bases: [UInt32: CommitRecord] = [:]
  var outcome: JobOutcome?
  var end: BlockPosition?
  /// The attempt that ended the session.
  var endAttempt: UInt32 = 0
  var highestAttempt: UInt32 = 0
  /// Groups by attempt, each in order of their numbers.
  private var groups: [UInt32: [FoundGroup]] = [:]

  /// Adds a group; one that is there already stays.
  mutating func add(_ group: FoundGroup, attempt: UInt32) {
    var list = groups[attempt] ?? []
    // The dictionary lets go of the list, so that adding to it copies nothing.
    groups[attempt] = nil
    if let last = list.last, last.number >= group.number {
      let index = Self.index(of: group.number, in: list)
      if list[index].number != group.number { list.insert(group, at: index) }
    } else {
      list.append(group)
    }
    groups[attempt] = list
  }

  /// The groups of an attempt with numbers in a range, in order.
  func groups(_ attempt: UInt32, _ range: ClosedRange<UInt64>) -> ArraySlice<FoundGroup> {
    guard let list = groups[attempt] else { return [] }
    let first = Self.index(of: range.lowerBound, in: list)
    let last = range.upperBound == .max ? list.count : Self.index(of: range.upperBound + 1, in: list)
    return list[first..<last]
  }

  /// The index of the first group whose number is not below `number`.
  private static func index(of number: UInt64, in list: [FoundGroup]) -> Int {
    var low = 0
    var high = list.count
    while low < high {
      let middle = (low + high) / 2
      if list[middle].number < number { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// Adds a session-start block, with the commit that its attempt continues from.
  mutating func addStart(_ position: BlockPosition, attempt: UInt32, base: CommitRecord?) {
    starts[attempt] = position
    bases[attempt] = base
  }

  mutating func add(_ commit: FoundCommit) {
    if let other = commits[commit.record.number], other.attempt >= commit.attempt { return }
    commits[commit.record.number] = commit
  }

  /// The commits that count unless they are broken, by number.
  ///
  /// A later attempt that continues from a lower number voids a commit: its caller never got an answer.
  var liveCommits: [FoundCommit] {
    commits.values.filter { !isVoid($0) }.sorted { $0.record.number < $1.record.number }
  }

  /// The live commits but for a last one that is not whole, when the session did not end behind it: nobody got an answer
  /// to it, and another session's commit moved the end over it.
  var countedCommits: [FoundCommit] {
    let commits = liveCommits
    guard let last = commits.last, end == nil, !judge(last).isWhole else { return commits }
    return commits.dropLast()
  }

  /// The groups behind the last commit met of a session that ended: their commit was lost, for a session ends only when all
  /// its groups are committed.
  var uncoveredTail: ArraySlice<FoundGroup> {
    guard end != nil else { return [] }
    let covered = (commits.values.map(\.record) + bases.values).compactMap { $0.ranges.last?.groups.upperBound }.max()
    return groups(endAttempt, min(covered ?? 0, UInt64.max - 1) + 1...UInt64.max)
  }

  private func isVoid(_ commit: FoundCommit) -> Bool {
    starts.keys.contains { attempt in
      attempt > commit.attempt && commit.record.number > (bases[attempt]?.number ?? 0)
    }
  }

  /// The commit with a number, when it was met and is not void.
  func commit(_ number: UInt64) -> FoundCommit? { commits[number].flatMap { isVoid($0) ? nil : $0 } }

  /// The record of a commit, from wherever it was met.
  func record(_ number: UInt64) -> CommitRecord? {
    commit(number)?.record ?? bases.values.first { $0.number == number }
  }

  /// The state after the last commit met, from wherever.
  var lastState: ResumeState {
    let numbers = liveCommits.map(\.record.number) + bases.values.map(\.number)
    return numbers.max().flatMap(record).map(ResumeState.init(after:)) ?? .beginning
  }

  /// The state before a commit; nil when the commit before it was not met.
  func state(before number: UInt64) -> ResumeState? {
    if number <= 1 { return .beginning }
    return record(number - 1).map(ResumeState.init(after:))
  }
}

/// What a commit's groups turned out to be.
struct CommitVerdict {
  /// The groups it adds, as far as they were met.
  var groups: [FoundGroup]
  var missing: [ClosedRange<UInt64>]
  /// Whether all groups were met and the rolling digest matches.
  var isWhole: Bool
}

extension SessionTrace {
  /// Judges a commit by itself: whether the groups that it adds to the one before it are there and are the right ones.
  ///
  /// Without the commit before it, what it adds is taken to be what lies above the highest lower commit met, unverified.
  func judge(_ commit: FoundCommit) -> CommitVerdict {
    let number = commit.record.number
    guard let before = state(before: number) else {
      let lower = liveCommits.last { $0.record.number < number }?.record.ranges.last?.groups.upperBound
      return collect(commit.record.ranges, above: lower ?? 0)
    }
    var verdict = collect(commit.record.ranges, above: before.nextGroup - 1)
    guard verdict.missing.isEmpty, !verdict.groups.isEmpty else { return verdict }
    // An attempt's first commit covers its session-start block too: without it nobody could tell whose groups these are.
    guard before.ranges.last?.attempt == commit.attempt || starts[commit.attempt] != nil else { return verdict }
    // A commit adds groups of its own attempt only: what earlier attempts left uncommitted is dead.
    let expected = before.commit(adding: verdict.groups.map(\.digest), attempt: commit.attempt)
    verdict.isWhole = expected == commit.record
    return verdict
  }

  /// The groups above a number that ranges cover.
  private func collect(_ ranges: [CommitRecord.Range], above lower: UInt64) -> CommitVerdict {
    var verdict = CommitVerdict(groups: [], missing: [], isWhole: false)
    for range in ranges where range.groups.upperBound > lower {
      let wanted = max(range.groups.lowerBound, lower + 1)...range.groups.upperBound
      var next = wanted.lowerBound
      for group in groups(range.attempt, wanted) {
        if group.number > next { verdict.missing.append(next...group.number - 1) }
        verdict.groups.append(group)
        next = group.number + 1
      }
      if next <= wanted.upperBound { verdict.missing.append(next...wanted.upperBound) }
    }
    return verdict
  }
}
