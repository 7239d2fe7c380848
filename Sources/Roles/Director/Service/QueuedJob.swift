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

    var title: String {
      switch self {
      case .created: "created, but not yet running"
      case .maximumJobs: "waiting: as many jobs run as may"
      case .client: "waiting for the client's other jobs"
      case .storage: "waiting for the storage's other jobs"
      case .job: "waiting for another run of the job, or of its tree"
      case .priority: "waiting for jobs of a better priority"
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
  let cancel = CancelSignal()

  var kind: String {
    switch work {
    case .backup: "backup"
    case .restore: "restore"
    }
  }

  /// The field's letter for what it does.
  var letter: Character {
    switch state {
    case .waiting(let wait): wait.rawValue
    case .running: JobStatus.running.rawValue
    }
  }
}

/// The last that a running job said of how far it is.
final class LatestProgress: Sendable {
  private let state = Mutex<ControlLine?>(nil)
  var line: ControlLine? { state.withLock { $0 } }
  func set(_ line: ControlLine) { state.withLock { $0 = line } }
}
