import VaultCatalog
import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

/// Tells a console of jobs: those of the catalog, as they are now.
struct JobAnswers: Sendable {
  private static let jobLimit = 100_000
  private static let linesPerPage = 1_000

  let service: DirectorParts
  let channel: Channel

  /// The newest jobs, a line each, the newest first; `limit` of them, of one client when it is named.
  func list(_ line: ControlLine) async throws -> Reply {
    let limit: Int = line["limit"] == nil ? 100 : Int(try line.integer("limit", as: UInt32.self))
    let only: JobNumber? = line["job"] == nil ? nil : try line.integer("job")
    let client = line["client"]?.text
    let live = Dictionary(uniqueKeysWithValues: await service.queue.all().map { ($0.number, $0) })
    let (catalog, channel) = (service.catalog, channel)
    try await onThread(name: "vault-list") {
      let rows = try Self.rows(catalog, only: only, client: client, limit: min(limit, Self.jobLimit))
      for row in rows {
        try Self.line(row, live[row.number]).encoded().withUnsafeBytes {
          try channel.sendFrameBlocking(.listing, $0)
        }
      }
      if let only, rows.isEmpty { throw DirectorError.noSuchJob(only) }
    }
    return Reply(.directorOK)
  }

  private enum Row {
    case job(JobRecord)
    case errand(ErrandRecord)

    var number: JobNumber {
      switch self {
      case .job(let job): job.description.number
      case .errand(let errand): errand.number
      }
    }
  }

  private static func rows(
    _ catalog: any CatalogStore, only: JobNumber?, client: String?, limit: Int
  ) throws -> [Row] {
    if let only {
      if let job = try catalog.job(number: only) { return [.job(job)] }
      return try catalog.errand(number: only).map { [.errand($0)] } ?? []
    }
    var rows: [Row] = []
    var before: JobNumber?
    while rows.count < limit {
      let page = try catalog.recentJobs(of: nil, before: before, limit: linesPerPage)
      for job in page where client == nil || job.description.tree.host == client { rows.append(.job(job)) }
      guard page.count == linesPerPage, let last = page.last else { break }
      before = last.description.number
    }
    var after: JobNumber = 0
    while true {
      let page = try catalog.errands(after: after, limit: linesPerPage)
      for errand in page where client == nil || errand.tree.host == client { rows.append(.errand(errand)) }
      guard page.count == linesPerPage, let last = page.last else { break }
      after = last.number
    }
    return Array(rows.sorted { $0.number > $1.number }.prefix(limit))
  }

  private static func line(_ row: Row, _ live: QueuedJob?) -> ControlLine {
    var line = ControlLine("job", words: [ByteString(String(row.number))])
    switch row {
    case .job(let job):
      line.set("type", "backup")
      line.set("name", job.jobName ?? "")
      line.set("client", job.description.tree.host)
      line.set("fileset", job.description.tree.name)
      line.set("level", job.description.level.rawValue)
      line.set("status", String(live?.letter ?? job.status.rawValue))
      line.set("created", job.description.created.nanoseconds)
      if let ended = job.ended, live == nil { line.set("ended", ended.nanoseconds) }
      line.set("attempt", job.attempt)
      line.set("files", job.counters.entriesSeen)
      line.set("bytes", job.counters.bytesStored)
      line.set("problems", job.counters.problems)
    case .errand(let errand):
      line.set("type", errand.kind)
      line.set("name", live?.name ?? errand.kind)
      line.set("client", errand.tree.host)
      line.set("fileset", errand.tree.name)
      line.set("status", String(live?.letter ?? errand.status.rawValue))
      line.set("created", errand.created.nanoseconds)
      if let ended = errand.ended { line.set("ended", ended.nanoseconds) }
      if let subject = errand.subject { line.set("subject", subject) }
      line.set("files", errand.files)
      line.set("bytes", errand.bytes)
      line.set("problems", errand.problems)
    }
    return line
  }

  /// The log of a job, a line each.
  func log(_ line: ControlLine) async throws -> Reply {
    guard let number = try line.word(0).text.flatMap({ JobNumber($0) }) else {
      throw ControlError(.malformedField("job"), line: line.verb)
    }
    let (catalog, channel) = (service.catalog, channel)
    try await onThread(name: "vault-list") {
      guard try number == 0 || catalog.job(number: number) != nil || catalog.errand(number: number) != nil else {
        throw DirectorError.noSuchJob(number)
      }
      var last: UInt64 = 0
      while true {
        let page = try catalog.readLog(of: number, after: last, limit: Self.linesPerPage)
        for entry in page {
          var line = ControlLine("message")
          line.set("time", entry.time.nanoseconds)
          line.set("class", entry.messageClass)
          line.set("job", number)
          line.set("text", entry.text)
          try line.encoded().withUnsafeBytes { try channel.sendFrameBlocking(.listing, $0) }
        }
        guard page.count == Self.linesPerPage, let entry = page.last else { return }
        last = entry.number
      }
    }
    return Reply(.directorOK)
  }

  /// Notes the end of a job that was cancelled before it began.
  func endUnbegun(_ job: QueuedJob) async throws {
    service.log.release(job.number)
    let (catalog, clock) = (service.catalog, service.clock)
    try await onThread(name: "vault-catalog") {
      switch job.work {
      case .backup:
        guard let record = try catalog.job(number: job.number) else { return }
        try catalog.endJob(
          job.number, outcome: JobOutcome(status: .canceled, ended: clock.now(), counters: record.counters))
      case .restore:
        try catalog.endErrand(job.number, status: .canceled, ended: clock.now(), files: 0, bytes: 0, problems: 0)
      }
    }
  }
}
