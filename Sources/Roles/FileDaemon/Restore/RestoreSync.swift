import Synchronization
import VaultFileSet
import VaultModel
import VaultSystem

/// Puts what is restored on the disk while more is written, so that little is left to wait for at the end.
final class RestoreSync: Sendable {
  /// While one thread waits for the disk's own cache, another one gives the disk more.
  private static let threadCount = 2

  private let target: RestoreTarget
  private let report: RestoreReport
  private let crew = WorkerCrew()
  private let state = Mutex(State())

  private struct State {
    /// File systems of which a failure was told.
    var told: Set<ByteString> = []
    /// Nobody is told any more: the job has ended.
    var isOver = false
  }

  init(_ target: RestoreTarget, _ report: RestoreReport) {
    self.target = target
    self.report = report
    // A system that refuses threads leaves everything to the end.
    crew.startSome(Self.threadCount, name: "vault-sync") { [self] _ in
      while target.backlog.takeSteps() { tell(target.synchronize(isEnd: false)) }
    }
  }

  /// Tells the first failure on each file system.
  private func tell(_ failures: [FileSetError]) {
    state.withLock { state in
      for error in failures where !state.isOver && state.told.insert(error.path).inserted {
        report.problem(error.path, error.description)
      }
    }
  }

  /// Puts what is left on the disk, and waits for it; what fails is a problem.
  func finish() {
    target.backlog.finish()
    crew.join()
    tell(target.synchronize(isEnd: true))
  }

  /// Nothing more is put on the disk; what is under way is not waited for, and tells nobody.
  func abandon() {
    target.backlog.finish()
    state.withLock { $0.isOver = true }
  }
}
