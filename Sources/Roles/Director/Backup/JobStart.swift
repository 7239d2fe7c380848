import VaultCatalog
import VaultModel
import VaultScheduler
import VaultSystem

/// A job that is about to make an attempt: new, or going on.
struct JobStart: Sendable {
  var description: JobDescription
  var attempt: UInt32
  var lastCommit: UInt64
  /// Set when an earlier attempt committed something.
  var resume: ResumePoint?
  /// Where the last group lies that the catalog knows: the last commit is close to it.
  var lastGroup: GroupLocation?
  /// What the tree's latest published job saw: as much is expected.
  var expected: JobCounters?

  /// Decides what the request becomes: the tree's interrupted job, or a new one. Blocks on the catalog.
  static func job(
    _ request: RunRequest, catalog: any CatalogStore, clock: any VaultClock
  ) throws -> JobRecord {
    if let interrupted = try catalog.interruptedJob(of: request.tree) { return interrupted }
    return try newJob(request, catalog: catalog, clock: clock)
  }

  /// Makes a job of the request.
  static func newJob(_ request: RunRequest, catalog: any CatalogStore, clock: any VaultClock) throws -> JobRecord {
    let decision = try level(request, catalog: catalog)
    return try catalog.createJob(
      NewJob(
        tree: request.tree, level: decision.level, baseSequence: decision.baseSequence, session: .random(),
        paths: request.paths, created: clock.now(), jobName: request.jobName))
  }

  /// A job that waited, as it is to begin now: what it compares with is decided anew while nothing of it is stored.
  static func begin(_ number: JobNumber, _ request: RunRequest, catalog: any CatalogStore) throws -> JobRecord {
    guard let job = try catalog.job(number: number) else { throw DirectorError.noSuchJob(number) }
    guard job.attempt == 0 else { return job }
    let decision = try level(request, catalog: catalog)
    try catalog.rebase(number, level: decision.level, baseSequence: decision.baseSequence)
    return try catalog.job(number: number) ?? job
  }

  /// What a new job of the request compares with.
  static func level(_ request: RunRequest, catalog: any CatalogStore) throws -> LevelDecision {
    let latest = try catalog.latestPublishedJob(of: request.tree, fullOnly: false, endedBy: nil)
    let full = try catalog.latestPublishedJob(of: request.tree, fullOnly: true, endedBy: nil)
    return LevelDecision.decide(
      requested: request.level, latest: latest.map(Self.published), latestFull: full.map(Self.published))
  }

  private static func published(_ job: JobRecord) -> LevelDecision.Published {
    LevelDecision.Published(job: job.description.number, sequence: job.description.sequence)
  }

  /// The next attempt of a job.
  static func next(attemptOf job: JobRecord, catalog: any CatalogStore) throws -> JobStart {
    let attempt = job.attempt + 1
    let resume = job.lastCommit > 0 ? try catalog.resumePoint(of: job.description.number) : nil
    try catalog.startAttempt(attempt, of: job.description.number)
    let lastGroup = try resume.flatMap { resume in
      try catalog.locations(of: job.description.session, groups: (resume.nextGroup - 1)...(resume.nextGroup - 1)).last
    }
    let latest = try catalog.latestPublishedJob(of: job.description.tree, fullOnly: false, endedBy: nil)
    return JobStart(
      description: job.description, attempt: attempt, lastCommit: job.lastCommit, resume: resume, lastGroup: lastGroup,
      expected: latest?.counters)
  }
}
