import VaultModel

/// How many connections a listener has, and what becomes of one more.
struct ConnectionCount {
  enum Admission: Equatable {
    case admitted
    /// Above a limit, and to be told so.
    case surplus(TooManyConnections)
    /// Above a limit, with nobody free to tell it so.
    case dropped(TooManyConnections)
  }

  private let limits: TLSListener.Limits
  /// Open connections by their peers' addresses.
  private var byAddress: [String: Int] = [:]
  private var count = 0
  private var surplusCount = 0

  init(_ limits: TLSListener.Limits) { self.limits = limits }

  mutating func admit(_ host: String) -> Admission {
    guard let excess = excess(host) else {
      count += 1
      byAddress[host, default: 0] += 1
      return .admitted
    }
    guard surplusCount < limits.surplusConnections else { return .dropped(excess) }
    surplusCount += 1
    return .surplus(excess)
  }

  private func excess(_ host: String) -> TooManyConnections? {
    if count >= limits.connections { return TooManyConnections(limit: limits.connections, isPerAddress: false) }
    if byAddress[host, default: 0] >= limits.connectionsPerAddress {
      return TooManyConnections(limit: limits.connectionsPerAddress, isPerAddress: true)
    }
    return nil
  }

  mutating func forget(_ host: String) {
    count -= 1
    let left = byAddress[host, default: 0] - 1
    byAddress[host] = left > 0 ? left : nil
  }

  mutating func forgetSurplus() { surplusCount -= 1 }
}

/// A connection above a listener's limit.
package struct TooManyConnections: DescribedError, Hashable {
  package let limit: Int
  package let isPerAddress: Bool

  package var exitStatus: ExitStatus { .unreachable }
  package var description: String {
    isPerAddress
      ? "Too many connections are open: \(limit) from one address are allowed (Maximum Connections Per Address)."
      : "Too many connections are open: \(limit) are allowed (Maximum Connections)."
  }
}

/// Lets one line of its kind through in a while, and counts the others.
struct LineRate {
  private static let nanoseconds: UInt64 = 10_000_000_000
  private var lastLine: UInt64?
  private var heldBack = 0

  /// Counts one more.
  ///
  /// - Returns: how many were held back since the last line, when it is time for one.
  mutating func next(at now: UInt64) -> Int? {
    if let lastLine, now < lastLine + Self.nanoseconds {
      heldBack += 1
      return nil
    }
    lastLine = now
    defer { heldBack = 0 }
    return heldBack
  }
}
