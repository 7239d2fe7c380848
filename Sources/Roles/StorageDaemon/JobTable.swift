import Synchronization
import VaultDevice
import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

/// A job that a director announced: what a file daemon's sessions are bound to.
final class AnnouncedJob: @unchecked Sendable {
  // The device control record belongs to one thread at a time: the data channel's, then that of the job's end; abort is any thread's.
  let session: UniqueIdentifier
  /// Whose job it is.
  let director: String
  let limits: CommitLimits
  let device: OpenDevice
  /// What a file daemon authenticates with, once; nil where nobody needs to.
  let key: [UInt8]?
  /// The file daemon whose job it is; nil for any.
  let client: String?
  let record: DeviceControlRecord
  /// Commits on their way to the director.
  let commits = BoundedQueue<CommitResult>(capacity: 64)
  /// The connection that the job's data come on.
  let connection = Mutex<Channel?>(nil)

  init(
    session: UniqueIdentifier, director: String, limits: CommitLimits, device: OpenDevice, key: [UInt8]?,
    client: String?, record: DeviceControlRecord
  ) {
    self.session = session
    self.director = director
    self.limits = limits
    self.device = device
    self.key = key
    self.client = client
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

/// The jobs that directors announced on this storage daemon, and the keys that open their data connections.
final class JobTable: Sendable {
  /// A restore or a verification: what it may read.
  private struct Reader {
    var devices: [Device]
    var key: [UInt8]?
    var client: String?
  }

  private struct State {
    var appending: [UniqueIdentifier: AnnouncedJob] = [:]
    var reading: [UniqueIdentifier: Reader] = [:]
    /// Jobs whose key was used: it opens nothing more.
    var usedKeys: Set<UniqueIdentifier> = []
  }

  private let state = Mutex(State())

  /// - Returns: false when the session is announced already.
  func announce(_ job: AnnouncedJob) -> Bool {
    state.withLock { state in
      guard state.appending[job.session] == nil else { return false }
      state.appending[job.session] = job
      state.usedKeys.remove(job.session)
      return true
    }
  }

  func appending(_ session: UniqueIdentifier) -> AnnouncedJob? { state.withLock { $0.appending[session] } }

  /// The jobs that store, by their sessions.
  var running: [AnnouncedJob] {
    state.withLock { Array($0.appending.values) }.sorted { $0.session.text < $1.session.text }
  }

  /// How many jobs are announced that store.
  var appendingCount: Int { state.withLock { $0.appending.count } }

  /// Removes a job, unless a later attempt of the session has taken its place.
  ///
  /// - Returns: whether it was there.
  func withdraw(_ job: AnnouncedJob) -> Bool {
    state.withLock { state in
      guard state.appending[job.session] === job else { return false }
      state.appending[job.session] = nil
      state.usedKeys.remove(job.session)
      return true
    }
  }

  /// Lets a job read from a device; one that reads from several is announced for each.
  func announceReader(_ job: UniqueIdentifier, of device: Device, key: [UInt8]?, client: String?) {
    state.withLock { state in
      state.reading[job, default: Reader(devices: [], key: key, client: client)].devices.append(device)
    }
  }

  /// The devices that a job may read from; empty for a job that nobody announced.
  func readable(by job: UniqueIdentifier) -> [Device] { state.withLock { $0.reading[job]?.devices ?? [] } }

  func withdrawReader(_ job: UniqueIdentifier) {
    state.withLock { state in
      state.reading[job] = nil
      state.usedKeys.remove(job)
    }
  }

  // MARK: Keys

  /// The key with which a client may open the data connection of a job; nil when there is none, or it was used.
  func key(of job: UniqueIdentifier, for client: String) -> [UInt8]? {
    state.withLock { state in
      guard !state.usedKeys.contains(job) else { return nil }
      let (key, owner) =
        state.appending[job].map { ($0.key, $0.client) } ?? state.reading[job].map { ($0.key, $0.client) } ?? (nil, nil)
      return owner == nil || owner == client ? key : nil
    }
  }

  /// Takes a job's key out of use: the first connection that comes with it is the only one.
  ///
  /// - Returns: whether this is the first.
  func useKey(of job: UniqueIdentifier) -> Bool {
    state.withLock { state in
      guard state.appending[job] != nil || state.reading[job] != nil else { return false }
      return state.usedKeys.insert(job).inserted
    }
  }
}
