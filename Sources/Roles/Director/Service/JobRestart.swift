import VaultCatalog
import VaultConfiguration
import VaultModel
import VaultSystem

/// What a director does with the jobs of its last life: they go on, if it was away for no longer than the Reconnect Window.
struct JobRestart: Sendable {
  let parts: DirectorParts

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
        guard let name = job.jobName, parts.configuration.reconnectWindowSeconds > 0 else {
          throw DirectorError.interrupted
        }
        try await JobSubmission(parts: parts).submitContinued(job, named: name)
        parts.log.tell(.info, job: number, "The director is back: the job goes on.")
      } catch {
        parts.log.tell(.warning, job: number, "The job was interrupted; the next run goes on from its last commit.")
      }
    }
  }
}
