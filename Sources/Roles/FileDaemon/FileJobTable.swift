import Synchronization
import VaultModel

/// The jobs that run on this file daemon.
final class FileJobTable: Sendable {
  struct Running: Sendable {
    var kind: String
    /// The director's number; nil where it tells none.
    var number: String?
    var director: String
    /// Ends its conversation with the director.
    var end: @Sendable () -> Void

    /// The job in a few words.
    var text: String { "\(kind)\(number.map { " \($0)" } ?? "") of \(director)" }
  }

  private struct State {
    var nextTicket: UInt64 = 1
    var running: [UInt64: Running] = [:]
  }

  private let limit: Int?
  private let state = Mutex(State())

  /// - Parameter limit: jobs at once; nil for any number.
  init(limit: Int?) { self.limit = limit }

  /// - Returns: a ticket that ends the job.
  /// - Throws: `.tooManyJobs`.
  func begin(
    _ kind: String, number: String?, director: String, end: @escaping @Sendable () -> Void
  ) throws(FileJobRefusal) -> UInt64 {
    let ticket: UInt64? = state.withLock { state in
      if let limit, state.running.count >= limit { return nil }
      defer { state.nextTicket += 1 }
      state.running[state.nextTicket] = Running(kind: kind, number: number, director: director, end: end)
      return state.nextTicket
    }
    guard let ticket else { throw .tooManyJobs(limit ?? 0) }
    return ticket
  }

  func end(_ ticket: UInt64) { state.withLock { _ = $0.running.removeValue(forKey: ticket) } }

  /// What runs, in the order in which it began.
  var running: [Running] { state.withLock { state in state.running.sorted { $0.key < $1.key }.map(\.value) } }
}

/// Why a job does not run here.
enum FileJobRefusal: DescribedError, Hashable {
  case tooManyJobs(Int)
  case outside(ByteString)

  var exitStatus: ExitStatus {
    switch self {
    case .tooManyJobs: .inUse
    case .outside: .usage
    }
  }

  var description: String {
    switch self {
    case .tooManyJobs(let limit): "\(limit) jobs run on this client, and no more may (Maximum Concurrent Jobs)."
    case .outside(let path):
      "\(path.displayText) lies outside of the Allowed Directories of this client: nothing was read or written."
    }
  }
}
