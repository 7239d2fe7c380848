import VaultCatalog
import VaultModel
import VaultProtocol
import VaultScheduler
import VaultSession
import VaultSystem

/// `drop`: decides by number and by rule which jobs go, tells why, and lets them go; and compacts volumes when asked to.
struct DropJob: Sendable {
  let director: Director
  let line: ControlLine
  let console: Channel
  let cancel: CancelSignal

  /// A job, and why it stays or goes.
  private struct Decision: Sendable {
    var job: JobRecord
    var isKept: Bool
    var reason: String
  }

  func run() async throws -> Reply {
    let (catalog, console, line) = (director.catalog, console, line)
    let isDryRun = line["dry-run"]?.text == "yes"
    let compacts = line["compact"]?.text == "yes"
    let planned = try await onThread(name: "vault-catalog") { try decide() }
    let going = planned.filter { !$0.isKept }.map(\.job.description.number)
    let now = director.clock.now()
    try await onThread(name: "vault-list") {
      if !isDryRun, !going.isEmpty { _ = try catalog.dropJobs(going, at: now) }
      for decision in planned {
        let bytes = Self.encode(decision).encoded()
        try bytes.withUnsafeBytes { try console.sendFrameBlocking(.listing, $0) }
      }
    }
    var reply = Reply(.directorOK)
    reply.line.set("dropped", going.count)
    let freed = isDryRun || going.isEmpty ? [] : try await Freeing(director: director).run()
    var totals = Compaction.Totals()
    if compacts {
      let compaction = Compaction(director: director, console: console, cancel: cancel)
      if isDryRun { try await compaction.preview(dropping: going) } else { totals = try await compaction.run() }
    }
    reply.line.set("volumes", freed.count)
    reply.line.set("rewritten", totals.rewrittenCount)
    reply.line.set("bytes", freed.reduce(totals.byteCount) { $0 + $1.end.byteCount })
    return reply
  }

  private static func encode(_ decision: Decision) -> ControlLine {
    var line = JobLine.encode(decision.job)
    line.verb = "decision"
    line.set("action", decision.isKept ? "keep" : "drop")
    line.set("reason", decision.reason)
    return line
  }

  // MARK: Deciding

  /// The decisions about all jobs that the request concerns, in order of trees and newest first. Blocks on the catalog.
  private func decide() throws -> [Decision] {
    let catalog = director.catalog
    let rules = try Self.rules(line)
    let numbers = try line.all("job").map { value -> JobNumber in
      guard let number = value.text.flatMap({ JobNumber($0) }) else {
        throw ControlError(.malformedField("job"), line: line.verb)
      }
      return number
    }
    guard !numbers.isEmpty || !rules.isEmpty else {
      guard line["compact"]?.text == "yes" else { throw DirectorError.nothingToDropBy }
      return []
    }
    let all = try catalog.jobs(of: nil)
    let name = line["name"]
    for number in numbers {
      guard let job = all.first(where: { $0.description.number == number }) else {
        throw DirectorError.noSuchJob(number)
      }
      if let name, job.description.tree.name != name { throw DirectorError.jobNotOfTree(number) }
    }
    let trees = try catalog.trees().map(\.tree).filter { name == nil || $0.name == name }
    guard !trees.isEmpty else { throw DirectorError.noTree }
    return try trees.flatMap { tree in
      try decide(all.filter { $0.description.tree == tree }, tree, named: Set(numbers), rules)
    }
  }

  private static func rules(_ line: ControlLine) throws -> RetentionRules {
    func count(_ key: String) throws -> UInt32? { line[key] == nil ? nil : try line.integer(key) }
    return RetentionRules(
      last: try count("keep-last"), daily: try count("keep-daily"), weekly: try count("keep-weekly"),
      monthly: try count("keep-monthly"), yearly: try count("keep-yearly"),
      within: line["keep-within"] == nil ? nil : try line.integer("keep-within"))
  }

  private func decide(
    _ jobs: [JobRecord], _ tree: Tree, named: Set<JobNumber>, _ rules: RetentionRules
  ) throws -> [Decision] {
    let newest = jobs.last { $0.status.isPublished }?.description
    let rest = jobs.filter { !named.contains($0.description.number) }
    var reasons: [JobNumber: String] = [:]
    if !rules.isEmpty {
      for decision in rules.decide(try candidates(rest, tree), now: director.clock.now(), zone: director.zone) {
        reasons[decision.job] = decision.reasons.joined(separator: ", ")
      }
    }
    // What compares with a job that goes, and never finished, goes with it.
    let going = Set(
      jobs.filter { job in
        job.status.isPublished && (named.contains(job.description.number) || reasons[job.description.number] == "")
      }.map(\.description.sequence))
    return jobs.reversed().compactMap { job in
      let number = job.description.number
      if named.contains(number) {
        let isNewest = number == newest?.number
        return Decision(
          job: job, isKept: false, reason: isNewest ? "named, though it is the newest of its tree" : "named")
      }
      if !job.status.isPublished, going.contains(job.description.baseSequence) {
        return Decision(job: job, isKept: false, reason: "not finished, and compares with a job that is dropped")
      }
      guard let reason = reasons[number] else { return nil }
      if !reason.isEmpty { return Decision(job: job, isKept: true, reason: reason) }
      return Decision(
        job: job, isKept: false, reason: job.status.isPublished ? "no rule keeps it" : "it did not finish")
    }
  }

  /// The jobs with what protects them: one that goes on, and the one that it compares with, stay whatever the rules say.
  private func candidates(_ jobs: [JobRecord], _ tree: Tree) throws -> [RetentionRules.Candidate] {
    let interrupted = try director.catalog.interruptedJob(of: tree)?.description
    return jobs.map { job in
      var protection: String?
      if let interrupted {
        if job.description.number == interrupted.number { protection = "the next backup goes on with it" }
        if job.status.isPublished, job.description.sequence == interrupted.baseSequence {
          protection = "job \(interrupted.number), which goes on, compares with it"
        }
      }
      return RetentionRules.Candidate(
        job: job.description.number, sequence: job.description.sequence,
        ended: job.ended ?? job.description.created, isPublished: job.status.isPublished, protection: protection)
    }
  }
}
