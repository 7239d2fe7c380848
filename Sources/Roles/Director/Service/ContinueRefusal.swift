import VaultModel

/// Why an earlier job does not go on.
enum ContinueRefusal: DescribedError, Hashable {
  case isQueued(JobNumber)
  case isDone(JobNumber, String)
  /// A newer job of its tree, which is published, waits or runs.
  case isPassed(JobNumber, by: JobNumber)
  case storesNothing(JobNumber)
  case wasDropped(JobNumber)
  /// No Job resource is known that it is a run of.
  case hasNoResource(JobNumber)
  /// The Job resource has another client or file set now.
  case otherTree(JobNumber, String)

  var exitStatus: ExitStatus {
    switch self {
    case .isQueued: .inUse
    case .wasDropped: .notFound
    case .isDone, .isPassed, .storesNothing, .hasNoResource, .otherTree: .usage
    }
  }

  var description: String {
    switch self {
    case .isQueued(let number): "Job \(number) waits or runs already: 'wait job=\(number)' waits for its end."
    case .isDone(let number, let title):
      "Job \(number) ended: \(title). Nothing of it is left to be done; 'run' begins a new job."
    case .isPassed(let number, let newer):
      "Job \(newer) is newer than job \(number) and of the same client and file set: what job \(number) had saved is no longer "
        + "wanted. 'run' begins a new job."
    case .storesNothing(let number):
      "Job \(number) is no backup: nothing of it was kept that could go on. Ask for the restore again."
    case .wasDropped(let number): "Job \(number) was dropped: what it had saved is gone. 'run' begins a new job."
    case .hasNoResource(let number):
      "Job \(number) is a run of no Job resource that dir.conf has. Bring that back, or begin a new job with 'run'."
    case .otherTree(let number, let name):
      "Job '\(name)' of dir.conf has another client or file set than when job \(number) began. "
        + "Change it back, or begin a new job with 'run'."
    }
  }
}
