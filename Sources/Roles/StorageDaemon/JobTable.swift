import Synchronization
import VaultDevice
import VaultMessages
import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

/// A job that a director announced: what a file daemon's sessions are bound to.
final class AnnouncedJob: @unchecked Sendable {
  // The device control record and the streams' form belong to one thread at a time: the data channel's, then that of the job's end;
  // abort is any thread's.
  let session: UniqueIdentifier
  /// Whose job it is.
  let director: String
  let limits: CommitLimits
  let device: OpenDevice
  /// What a file daemon authenticates with, once; nil where nobody needs to.
  let key: [UInt8]?
  /// The file daemon whose job it is; nil for any.
  let client: String?
  /// What who opens the session must know, too; nil for nothing.
  let password: ByteString?
  /// An entry's index that all files of this attempt are above.
  let lastIndex: UInt64
  let record: DeviceControlRecord
  /// What the job tells here; nil where nobody is told anything.
  let messages: JobMessages?
  /// Commits on their way to the director.
  let commits = BoundedQueue<CommitResult>(capacity: 64)
  /// What the session's data is; nil before the first header packet.
  var form: StreamForm?
  /// The mailbox of the connection that opened the session.
  private let owner = Mutex<Mailbox?>(nil)
  /// The connection that the job's data come on.
  let connection = Mutex<Channel?>(nil)

  init(
    session: UniqueIdentifier, director: String, limits: CommitLimits, device: OpenDevice, key: [UInt8]?,
    client: String?, password: ByteString?, lastIndex: UInt64, record: DeviceControlRecord,
    messages: JobMessages? = nil
  ) {
    self.messages = messages
    self.password = password
    self.lastIndex = lastIndex
    self.session = session
    self.director = director
    self.limits = limits
    self.device = device
    self.key = key
    self.client = client
    self.record = record
  }
}

extension AnnouncedJob {
  var isOfGroups: Bool {
    if case .groups? = form { return true }
    return false
  }

  /// Opens the session for a connection.
  ///
  /// - Returns: false when one has opened it before.
  func open(for mailbox: Mailbox) -> Bool {
    owner.withLock { owner in
      guard owner == nil else { return false }
      owner = mailbox
      return true
    }
  }

  /// Tells the connection that opened the session.
  func tellOwner(_ notification: Notification) { owner.withLock { $0 }?.post(notification) }
}

/// What the data of one attempt is: it is not mixed, since either side numbers all groups.
enum StreamForm {
  /// Record groups, as the client numbered them.
  case groups
  /// Single files, of which the storage daemon makes groups.
  case files(StreamWrapper)
}

/// When a commit point is due.
struct CommitLimits: Sendable {
  /// After so many bytes of attributes, too, about 15,000 entries: then the catalog takes them in while data still flow, and
  /// nobody gathers more than that.
  static let attributeByteCount: UInt64 = 2 << 20
  /// But no sooner: how many bytes they are is what the client says.
  static let attributeNanoseconds: UInt64 = 250_000_000

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
  struct Reader: Sendable {
    var devices: [Device] = []
    var director: String
    var key: [UInt8]?
    var client: String?
    var password: ByteString?
    /// The sessions whose blocks it may have; nil for any.
    var sessions: Set<UniqueIdentifier>?
  }

  /// What a connection that came with a job's key may do.
  enum KeyUse: Sendable {
    case control
    case data(DataFlow)
  }

  private struct State {
    var appending: [UniqueIdentifier: AnnouncedJob] = [:]
    var reading: [UniqueIdentifier: Reader] = [:]
    /// Jobs whose key was used: it opens nothing more.
    var usedKeys: Set<UniqueIdentifier> = []
    /// Connections for data that are expected, with the key of each.
    var expected: [UniqueIdentifier: (flow: DataFlow, key: [UInt8])] = [:]
    var lastTicket: UInt64 = 0
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
      state.expected[job.session] = nil
      return true
    }
  }

  /// Lets a job read from a device; one that reads from several is announced for each, and the first word about the rest counts.
  ///
  /// Announced again, it may read another device, or more sessions.
  ///
  /// - Returns: false when another director has announced it.
  func announceReader(_ job: UniqueIdentifier, _ reader: Reader, of device: Device) -> Bool {
    state.withLock { state in
      var known = state.reading[job] ?? reader
      guard known.director == reader.director else { return false }
      if !known.devices.contains(where: { $0 === device }) { known.devices.append(device) }
      if let sessions = reader.sessions { known.sessions?.formUnion(sessions) } else { known.sessions = nil }
      state.reading[job] = known
      return true
    }
  }

  /// What a job may read; nil for one that nobody announced.
  func reader(_ job: UniqueIdentifier) -> Reader? { state.withLock { $0.reading[job] } }

  /// Whose a job is; nil for one that nobody announced.
  func director(of job: UniqueIdentifier) -> String? {
    state.withLock { $0.appending[job]?.director ?? $0.reading[job]?.director }
  }

  /// A number for a session that no other has had.
  func nextTicket() -> UInt64 {
    state.withLock { state in
      state.lastTicket += 1
      return state.lastTicket
    }
  }

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
      let (key, owner) =
        state.appending[job].map { ($0.key, $0.client) } ?? state.reading[job].map { ($0.key, $0.client) } ?? (nil, nil)
      guard owner == nil || owner == client else { return nil }
      return state.usedKeys.contains(job) ? state.expected[job]?.key : key
    }
  }

  /// Takes a job's key out of use: the first connection that comes with it is the only one.
  ///
  /// - Returns: what the connection is for; nil when there was one before.
  func useKey(of job: UniqueIdentifier) -> KeyUse? {
    state.withLock { state in
      guard state.appending[job] != nil || state.reading[job] != nil else { return nil }
      if state.usedKeys.insert(job).inserted { return .control }
      return state.expected.removeValue(forKey: job).map { .data($0.flow) }
    }
  }

  /// Expects one more connection of a job whose own key was used; one that was expected before is not any more.
  func expect(_ flow: DataFlow, key: [UInt8]) {
    state.withLock { $0.expected[flow.job.session] = (flow, key) }
  }

  /// No connection is expected any more for a flow.
  func stopExpecting(_ flow: DataFlow) {
    state.withLock { state in
      if state.expected[flow.job.session]?.flow === flow { state.expected[flow.job.session] = nil }
    }
  }
}
