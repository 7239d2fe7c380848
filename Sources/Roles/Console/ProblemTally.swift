import VaultModel

/// What kept a file from being saved, whichever file it was.
package struct FileTrouble: Hashable, Sendable {
  package var phase: ProblemPhase
  package var errorNumber: Int32

  package init(_ problem: FileProblem) {
    phase = problem.phase
    errorNumber = problem.errorNumber
  }
}

/// Problems counted by their kind, with the first path of each.
///
/// - Bounds: `kindLimit` kinds; problems of further kinds are counted together.
package struct ProblemTally<Reason: Hashable & Sendable>: Sendable {
  package struct Kind: Sendable {
    package var reason: Reason
    package var count: UInt64
    package var first: ByteString
  }

  private let kindLimit: Int
  private var found: [Kind] = []
  private var places: [Reason: Int] = [:]
  /// Problems of kinds beyond the limit.
  package private(set) var otherCount: UInt64 = 0

  package init(kindLimit: Int = 32) { self.kindLimit = kindLimit }

  /// Problems that a report lists one by one at most.
  package static var listLimit: Int { 1_000 }

  /// The kinds, the most frequent first.
  package var kinds: [Kind] {
    found.enumerated().sorted { ($1.element.count, $0.offset) < ($0.element.count, $1.offset) }.map(\.element)
  }

  package var count: UInt64 { found.reduce(otherCount) { $0 + $1.count } }

  package mutating func add(_ reason: Reason, _ path: ByteString, count: UInt64 = 1) {
    if let place = places[reason] {
      found[place].count += count
    } else if found.count < kindLimit {
      places[reason] = found.count
      found.append(Kind(reason: reason, count: count, first: path))
    } else {
      otherCount += count
    }
  }
}
