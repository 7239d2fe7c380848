import VaultModel

/// Why the director refuses or gives up a request.
package enum DirectorError: DescribedError, Hashable {
  case interrupted
  case verificationInterrupted
  case compactionInterrupted
  case noTree
  case severalTrees([String])
  case noSuchJob(JobNumber)
  case jobNotOfTree(JobNumber)
  case nothingPublished
  case nothingBefore
  case notInJob(String, JobNumber)
  /// A pattern, as a path of which nothing is in the job.
  case nothingMatches(String, JobNumber)
  /// What was selected cannot go to standard output.
  case notOneFile
  case noPathExists
  /// So many paths, with so many bytes together with the tree's name, do not fit a job's record.
  case selectionTooLong(pathCount: Int, byteCount: Int)
  case tooManyPatterns(count: Int, byteCount: Int)
  /// A dry run was stopped.
  case estimateInterrupted
  case pathNotSaved(String)
  case differentTrees(JobNumber, JobNumber)
  case notPublished(JobNumber)
  case nothingToDropBy
  /// The daemon's own words.
  case jobFailed(JobNumber, String, ExitStatus)

  package var exitStatus: ExitStatus {
    switch self {
    case .interrupted, .verificationInterrupted, .compactionInterrupted, .estimateInterrupted: .interrupted
    case .severalTrees, .selectionTooLong, .tooManyPatterns, .notOneFile, .differentTrees, .notPublished,
      .nothingToDropBy:
      .usage
    case .pathNotSaved, .noTree, .noSuchJob, .jobNotOfTree, .nothingPublished, .nothingBefore, .notInJob,
      .nothingMatches,
      .noPathExists:
      .notFound
    case .jobFailed(_, _, let status): status
    }
  }

  package var description: String {
    switch self {
    case .interrupted:
      "Interrupted. What was saved is kept: the next backup of the same paths goes on from there."
    case .verificationInterrupted: "Interrupted before everything was checked."
    case .compactionInterrupted:
      "Interrupted. Jobs are dropped as asked; volumes that were not rewritten by now are as they were."
    case .noTree: "The repository holds no such tree. 'vault local jobs' lists what it holds."
    case .severalTrees(let names):
      "The repository holds several trees; name one with --name: " + names.joined(separator: ", ") + "."
    case .noSuchJob(let number): "There is no job \(number). 'vault local jobs' lists the jobs."
    case .jobNotOfTree(let number): "Job \(number) belongs to another tree than the one named with --name."
    case .nothingPublished: "No job of this tree has finished yet, so there is nothing to show."
    case .nothingBefore: "No job of this tree had finished at that time."
    case .notInJob(let path, let number): "\(path) is not in job \(number)."
    case .nothingMatches(let pattern, let number): "Nothing in job \(number) is called or matches \(pattern)."
    case .notOneFile:
      "Standard output takes exactly one regular file. 'vault local ls' lists what the job holds."
    case .noPathExists: "None of the paths exists; nothing was started."
    case .selectionTooLong(let pathCount, let byteCount):
      "\(pathCount) paths with \(byteCount) bytes (with the tree's name, which is the paths unless --name gives one) are more "
        + "than a job keeps: at most \(RunRequest.pathLimit) paths and \(RunRequest.selectionByteLimit) bytes. "
        + "Name the directories that hold them instead, or give --name."
    case .tooManyPatterns(let count, let byteCount):
      "\(count) exclusion patterns with \(byteCount) bytes are more than a job takes: at most \(RunRequest.patternLimit) "
        + "patterns and \(RunRequest.patternByteLimit) bytes."
    case .estimateInterrupted: "Interrupted. A dry run leaves nothing behind."
    case .pathNotSaved(let path): "No kept job of this tree has \(path)."
    case .differentTrees(let first, let second):
      "Jobs \(first) and \(second) are of different trees: only jobs of one tree can be compared."
    case .notPublished(let number): "Job \(number) did not finish, so that it cannot be compared."
    case .nothingToDropBy:
      "Neither a job nor a rule says what is to be dropped, and volumes are not to be compacted; nothing was changed."
    case .jobFailed(let number, let reason, _): "Job \(number) failed: \(reason)"
    }
  }
}
