import Synchronization
import VaultConfiguration
import VaultModel
import VaultProtocol

/// A job that waits for its turn, or runs.
struct QueuedJob: Sendable {
  enum Work: Sendable {
    case backup(RunRequest, StoragePlace)
    /// The request, and paths and patterns in turn.
    case restore(ControlLine, [ByteString])
  }

  enum State: Hashable, Sendable {
    case waiting(Wait)
    case running
  }

  /// What a job waits for, with the field's letters.
  enum Wait: Character, Sendable {
    case created = "C"
    case maximumJobs = "d"
    case client = "c"
    case storage = "s"
    case job = "j"
    case priority = "p"
    /// These two while it runs.
    case storageDaemon = "S"
    case fileDaemon = "F"

    var title: String {
      switch self {
      case .created: "created, but not yet running"
      case .maximumJobs: "waiting: as many jobs run as may"
      case .client: "waiting for the client's other jobs"
      case .storage: "waiting for the storage's other jobs"
      case .job: "waiting for another run of the job, or of its tree"
      case .priority: "waiting for jobs of a better priority"
      case .storageDaemon: "waiting on the storage daemon"
      case .fileDaemon: "waiting on the client"
      }
    }
  }

  var number: JobNumber
  /// The configuration's name for it.
  var name: String
  var client: DirectorConfiguration.Client
  /// nil where it is known only when the job begins.
  var storage: DirectorConfiguration.Storage?
  var tree: Tree
  var priority: Int
  var concurrentJobLimit: Int
  var work: Work
  var submitted: Timestamp
  var state = State.waiting(.created)
  var began: Timestamp?
  let progress = LatestProgress()
  let hindrance = Hindrance()
  let cancel = CancelSignal()

  var kind: String {
    switch work {
    case .backup: "backup"
    case .restore: "restore"
    }
  }

  /// What it waits for, running or not; nil when it goes on.
  var wait: Wait? {
    switch state {
    case .waiting(let wait): wait
    case .running: hindrance.wait
    }
  }

  /// The field's letter for what it does.
  var letter: Character { wait?.rawValue ?? JobStatus.running.rawValue }
}

/// What a running job waits for, if it does.
final class Hindrance: Sendable {
  private let state = Mutex<QueuedJob.Wait?>(nil)
  var wait: QueuedJob.Wait? { state.withLock { $0 } }
  func set(_ wait: QueuedJob.Wait?) { state.withLock { $0 = wait } }

  /// A daemon refused what the job cannot do without.
  func refused(_ refusal: PeerRefusal) { set(refusal.code?.isOfFileDaemon ?? false ? .fileDaemon : .storageDaemon) }
}

extension StatusCode {
  /// Codes of file daemons begin with 2, of storage daemons with 3.
  fileprivate var isOfFileDaemon: Bool { (2000..<3000).contains(rawValue) }
}

/// The last that a running job said of how far it is.
final class LatestProgress: Sendable {
  private let state = Mutex<ControlLine?>(nil)
  var line: ControlLine? { state.withLock { $0 } }
  func set(_ line: ControlLine) { state.withLock { $0 = line } }
}
