import VaultCatalog
import VaultConfiguration
import VaultModel
import VaultSystem

/// What a director does with the jobs of its last life: they go on, if it was away for no longer than the Reconnect Window.
struct JobRestart: Sendable {
  let parts: DirectorParts
  /// For how long the director was away; nil when nobody knows.
  let absence: Duration?

  /// Whether jobs that were interrupted go on now.
  private var isWithinWindow: Bool {
    let window = Duration.seconds(parts.configuration.reconnectWindowSeconds)
    return absence.map { $0 < window } ?? (window > .zero)
  }

  /// Why jobs that were interrupted do not go on.
  private var reason: String {
    guard let absence, !isWithinWindow else { return "The director was restarted." }
    return
      "The director was away for \(absence.components.seconds) seconds: the Reconnect Window of "
      + "\(parts.configuration.reconnectWindowSeconds) seconds is over."
  }

  func run() async throws {
    let (catalog, clock) = (parts.catalog, parts.clock)
    let interrupted = try await onThread(name: "vault-catalog") {
      try catalog.abandonErrands(at: clock.now())
      var interrupted: [JobRecord] = []
      for job in try catalog.waitingJobs() where job.status != .incomplete {
        try catalog.endJob(
          job.description.number,
          outcome: JobOutcome(status: .incomplete, ended: clock.now(), counters: job.counters))
        interrupted.append(job)
      }
      return interrupted
    }
    for job in interrupted {
      let number = job.description.number
      do {
        guard let name = job.jobName, isWithinWindow else { throw DirectorError.interrupted }
        try await JobSubmission(parts: parts).submitContinued(job, named: name)
        parts.log.tell(.info, job: number, "The director is back: the job goes on.")
      } catch DirectorError.interrupted {
        parts.log.tell(
          .warning, job: number, "\(reason) The job was interrupted; the next run goes on from its last commit.")
      } catch {
        parts.log.tell(.warning, job: number, "\(reason) The job was interrupted, and does not go on: \(error)")
      }
    }
  }
}
