import VaultCatalog
import VaultConfiguration
import VaultModel
import VaultProtocol
import VaultSystem

/// Makes jobs of the configuration's Job resources.
struct JobSubmission: Sendable {
  let parts: DirectorParts

  private var configuration: DirectorConfiguration { parts.configuration }

  // MARK: Backups

  /// Queues a run of a job: its tree's interrupted job, or a new one.
  ///
  /// - Parameter level: nil for the configuration's.
  /// - Returns: the job's number.
  func submitBackup(named name: String, level: JobLevel?) async throws -> JobNumber {
    let resource = try backupResource(named: name)
    let request = try request(of: resource, level: level ?? resource.level)
    let (catalog, clock) = (parts.catalog, parts.clock)
    let waiting = Dictionary(uniqueKeysWithValues: await parts.queue.all().map { ($0.number, $0) })
    let record = try await onThread(name: "vault-catalog") {
      let interrupted = try catalog.interruptedJob(of: request.tree)
      if let interrupted, interrupted.status == .incomplete, waiting[interrupted.description.number] == nil {
        return interrupted
      }
      return try JobStart.newJob(request, catalog: catalog, clock: clock)
    }
    try await submit(try queued(record, resource, request), of: resource)
    return record.description.number
  }

  /// Queues a job that was interrupted, failed or was canceled: it goes on as the same job, from its last commit.
  func submitContinuation(of number: JobNumber) async throws {
    let others = await parts.queue.all()
    let catalog = parts.catalog
    let record = try await onThread(name: "vault-catalog") { try Self.continuable(number, others, catalog) }
    guard let name = record.jobName else { throw ContinueRefusal.hasNoResource(number) }
    let job = try continuing(record, named: name)
    // As incomplete it may go on, and does so at the next run at the latest.
    if await parts.queue.job(number) != nil { throw ContinueRefusal.isQueued(number) }
    if record.status != .incomplete { try await end(record, as: .incomplete) }
    do {
      try await submit(job, of: try backupResource(named: name))
    } catch {
      if record.status != .incomplete, await parts.queue.job(number) == nil { try await end(record, as: record.status) }
      throw error
    }
  }

  private func end(_ record: JobRecord, as status: JobStatus) async throws {
    let (catalog, now) = (parts.catalog, parts.clock.now())
    try await onThread(name: "vault-catalog") {
      try catalog.endJob(
        record.description.number,
        outcome: JobOutcome(status: status, ended: record.ended ?? now, counters: record.counters))
    }
  }

  /// A job that may go on: no newer one of its tree takes its place.
  private static func continuable(
    _ number: JobNumber, _ others: [QueuedJob], _ catalog: any CatalogStore
  ) throws -> JobRecord {
    if others.contains(where: { $0.number == number }) { throw ContinueRefusal.isQueued(number) }
    guard let record = try catalog.job(number: number) else {
      guard try catalog.errand(number: number) == nil else { throw ContinueRefusal.storesNothing(number) }
      throw DirectorError.noSuchJob(number)
    }
    if record.dropped != nil { throw ContinueRefusal.wasDropped(number) }
    if record.status.isPublished { throw ContinueRefusal.isDone(number, record.status.title) }
    let tree = record.description.tree
    if let latest = try catalog.latestPublishedJob(of: tree, fullOnly: false, endedBy: nil),
      latest.description.sequence > record.description.sequence
    {
      throw ContinueRefusal.isPassed(number, by: latest.description.number)
    }
    if let newer = others.first(where: { $0.kind == "backup" && $0.tree == tree && $0.number > number }) {
      throw ContinueRefusal.isPassed(number, by: newer.number)
    }
    return record
  }

  /// An earlier job, as it goes on.
  func continuing(_ record: JobRecord, named name: String) throws -> QueuedJob {
    let number = record.description.number
    guard configuration.jobs.contains(where: { $0.name == name }) else { throw ContinueRefusal.hasNoResource(number) }
    let resource = try backupResource(named: name)
    // What it was made as: while nothing of it ran, its level is decided anew when it begins.
    let level = record.attempt == 0 ? record.description.level : resource.level
    let request = try request(of: resource, level: level)
    guard request.tree == record.description.tree else { throw ContinueRefusal.otherTree(number, name) }
    return try queued(record, resource, request)
  }

  /// Queues a job of an earlier life of the director.
  func submitContinued(_ record: JobRecord, named name: String) async throws {
    try await submit(try continuing(record, named: name), of: try backupResource(named: name))
  }

  /// Queues a job, whose messages go where its resource says.
  private func submit(_ job: QueuedJob, of resource: DirectorConfiguration.Job?) async throws {
    let messages = configuration.messages.first { $0.name == resource?.messages }
    if let messages { parts.log.follow(job.number, to: messages) }
    do {
      try await parts.queue.submit(job)
    } catch {
      parts.log.release(job.number)
      throw error
    }
  }

  private func queued(
    _ record: JobRecord, _ resource: DirectorConfiguration.Job, _ request: RunRequest
  ) throws -> QueuedJob {
    let client = try client(named: resource.client ?? "")
    guard let pool = configuration.pools.first(where: { $0.name == resource.pool }),
      let storage = resource.storages.lazy.compactMap({ name in
        configuration.storages.first { $0.peer.name == name && $0.isEnabled }
      }).first
    else { throw QueueRefusal.noPlace(resource.name) }
    return QueuedJob(
      number: record.description.number, name: resource.name, client: client, storage: storage, tree: request.tree,
      priority: resource.priority, concurrentJobLimit: resource.concurrentJobLimit,
      work: .backup(request, configuration.place(of: pool, on: storage)),
      submitted: parts.clock.now())
  }

  private func backupResource(named name: String) throws -> DirectorConfiguration.Job {
    guard let resource = configuration.jobs.first(where: { $0.name == name }) else {
      throw QueueRefusal.noSuchResource("Job", name)
    }
    guard resource.kind == .backup else { throw QueueRefusal.notOfType(name, "Backup") }
    guard resource.isEnabled else { throw QueueRefusal.disabled("Job", name) }
    return resource
  }

  func client(named name: String) throws -> DirectorConfiguration.Client {
    guard let client = configuration.clients.first(where: { $0.peer.name == name }) else {
      throw QueueRefusal.noSuchResource("Client", name)
    }
    guard client.isEnabled else { throw QueueRefusal.disabled("Client", name) }
    return client
  }

  private func request(of job: DirectorConfiguration.Job, level: JobLevel?) throws -> RunRequest {
    guard let name = job.fileSet, let fileSet = configuration.fileSets.first(where: { $0.name == name }) else {
      throw QueueRefusal.noSuchResource("FileSet", job.fileSet ?? "")
    }
    var fileFields: [ControlLine.Field] = []
    if !fileSet.staysOnFileSystem { fileFields.append(.init(key: "cross-file-systems", value: "yes")) }
    if fileSet.excludesCaches { fileFields.append(.init(key: "exclude-caches", value: "yes")) }
    if !fileSet.honorsNoDump { fileFields.append(.init(key: "ignore-nodump", value: "yes")) }
    if let size = fileSet.excludesLargerThan {
      fileFields.append(.init(key: "exclude-larger-than", value: ByteString(String(size))))
    }
    return try RunRequest(
      tree: Tree(host: job.client ?? "", name: ByteString(name)), jobName: job.name, level: level,
      paths: fileSet.files, patterns: fileSet.excludedPatterns,
      compression: fileSet.compression,
      storageFields: [
        .init(key: "commit-seconds", value: ByteString(String(job.commitSeconds))),
        .init(key: "commit-bytes", value: ByteString(String(job.commitBytes))),
      ], fileFields: fileFields)
  }

  // MARK: Restores

  /// Queues a restore.
  ///
  /// - Parameters:
  ///   - line: what a console asked for.
  ///   - arguments: paths and patterns in turn.
  /// - Returns: the restore's number.
  func submitRestore(_ line: ControlLine, _ arguments: [ByteString]) async throws -> JobNumber {
    var line = line
    let resource = try restoreResource(named: line["restore-job"]?.text)
    if let resource { Self.choose(resource, in: &line) }
    let catalog = parts.catalog
    let asked = line
    let parts = parts
    let selection = try await onThread(name: "vault-catalog") {
      let selection = try TreeSelection.resolve(asked, catalog)
      // What is not there is refused, and no job is made of it.
      _ = try ChosenPaths(arguments, in: selection, catalog) { parts.isEnding }
      return selection
    }
    let origin = selection.tree.host
    let client = try client(named: line["to-client"]?.text ?? origin)
    line.fields.removeAll { ["job", "at", "host", "name"].contains($0.key) }
    line.set("job", selection.job.description.number)
    if line["mode"] == nil { line.set("mode", "write") }
    if line["target"] == nil {
      guard let target = resource?.restoreDirectory else {
        throw ControlError(.missingField("target"), line: "restore")
      }
      line.set("target", target)
    }
    if line["overwrite"] == nil { line.set("overwrite", Self.overwrite(resource?.replacement ?? .never)) }
    let (chosen, clock) = (line, parts.clock)
    let errand = try await onThread(name: "vault-catalog") {
      try catalog.createErrand(
        NewErrand(
          kind: "restore", tree: selection.tree, created: clock.now(), subject: selection.job.description.number))
    }
    let job = QueuedJob(
      number: errand.number, name: resource?.name ?? "restore", client: client, storage: nil, tree: selection.tree,
      priority: resource?.priority ?? 10, concurrentJobLimit: resource?.concurrentJobLimit ?? 10,
      work: .restore(chosen, arguments), submitted: clock.now())
    do {
      try await submit(job, of: resource)
    } catch {
      try await onThread(name: "vault-catalog") {
        try catalog.endErrand(errand.number, status: .failed, ended: clock.now(), files: 0, bytes: 0, problems: 0)
      }
      throw error
    }
    return errand.number
  }

  /// The files of the restore job's own client, where a console named the restore job and none; one that nobody named says
  /// nothing about files.
  private static func choose(_ resource: DirectorConfiguration.Job, in line: inout ControlLine) {
    guard line["restore-job"] != nil, line["job"] == nil, let client = resource.client else { return }
    if line["host"] == nil { line.set("host", client) }
    // The file set is that client's; another may not have one of that name.
    if line["name"] == nil, line["host"]?.text == client, let fileSet = resource.fileSet { line.set("name", fileSet) }
  }

  private func restoreResource(named name: String?) throws -> DirectorConfiguration.Job? {
    guard let name else { return configuration.jobs.first { $0.kind == .restore && $0.isEnabled } }
    guard let resource = configuration.jobs.first(where: { $0.name == name }) else {
      throw QueueRefusal.noSuchResource("Job", name)
    }
    guard resource.kind == .restore else { throw QueueRefusal.notOfType(name, "Restore") }
    return resource
  }

  private static func overwrite(_ replacement: DirectorConfiguration.Job.Replacement) -> String {
    switch replacement {
    case .never: "never"
    case .ifNewer: "newer"
    case .always: "always"
    }
  }
}
