import Synchronization
import VaultDevice
import VaultModel
import VaultProtocol
import VaultSystem

/// A job that a director announced: what a file daemon's sessions are bound to.
final class AnnouncedJob: @unchecked Sendable {
  // The device control record belongs to one thread at a time: the data channel's, then that of the job's end; abort is any thread's.
  let session: UniqueIdentifier
  let limits: CommitLimits
  let record: DeviceControlRecord
  /// Commits on their way to the director.
  let commits = BoundedQueue<CommitResult>(capacity: 64)

  init(session: UniqueIdentifier, limits: CommitLimits, record: DeviceControlRecord) {
    self.session = session
    self.limits = limits
    self.record = record
  }
}

/// When a commit point is due.
struct CommitLimits: Sendable {
  var nanoseconds: UInt64
  var byteCount: UInt64

  init(_ line: ControlLine) throws(ControlError) {
    let seconds: UInt64 = line["commit-seconds"] == nil ? 30 : try line.integer("commit-seconds")
    byteCount = line["commit-bytes"] == nil ? 1 << 30 : try line.integer("commit-bytes")
    guard seconds <= 86_400 else { throw ControlError(.malformedField("commit-seconds"), line: line.verb) }
    nanoseconds = seconds * 1_000_000_000
  }
}

/// The jobs that directors announced on this storage daemon.
final class JobTable: Sendable {
  private struct State {
    var appending: [UniqueIdentifier: AnnouncedJob] = [:]
    var reading: Set<UniqueIdentifier> = []
  }

  private let state = Mutex(State())

  /// - Returns: false when the session is announced already.
  func announce(_ job: AnnouncedJob) -> Bool {
    state.withLock { state in
      guard state.appending[job.session] == nil else { return false }
      state.appending[job.session] = job
      return true
    }
  }

  func appending(_ session: UniqueIdentifier) -> AnnouncedJob? { state.withLock { $0.appending[session] } }
  /// Removes a job, unless a later attempt of the session has taken its place.
  func withdraw(_ job: AnnouncedJob) {
    state.withLock { state in
      if state.appending[job.session] === job { state.appending[job.session] = nil }
    }
  }

  func announceReader(_ job: UniqueIdentifier) { state.withLock { _ = $0.reading.insert(job) } }
  func mayRead(_ job: UniqueIdentifier) -> Bool { state.withLock { $0.reading.contains(job) } }
  func withdrawReader(_ job: UniqueIdentifier) { state.withLock { _ = $0.reading.remove(job) } }
}
