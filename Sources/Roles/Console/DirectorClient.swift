import VaultModel
import VaultProtocol
import VaultSession

/// What a console asks the director for, over the pipe.
package struct DirectorClient: Sendable {
  let console: Channel
  let host: String
  /// What recovery found when the repository was opened, in plain words; empty after a clean end.
  package var recoveryNotes: [String] = []

  package init(console: Channel, host: String) {
    self.console = console
    self.host = host
  }

  // MARK: Recovery

  package func recover() async throws -> [String] {
    try await console.sendLine(ControlLine("recover"))
    let reply = try await finalReply { _, _ in }
    return reply.line.all("note").compactMap(\.text)
  }

  // MARK: Backup

  /// Saves a tree. Cancelling the calling task stops the job within a second and leaves it to be continued.
  ///
  /// - Throws: `DirectorError.interrupted`'s words when it was cancelled.
  package func backup(
    _ request: BackupRequest, progress: @escaping @Sendable (JobProgress) -> Void
  ) async throws -> BackupReport {
    var line = self.line("run", request)
    line.set("commit-seconds", request.commitIntervalSeconds)
    line.set("commit-bytes", request.commitByteCount)
    line.set(request.compression)
    try await send(line, request)
    let reply = try await finalReply(cancelling: true) { kind, payload in
      if kind == .progress { progress(try JobProgress(try ControlLine(payload: payload))) }
    }
    let number: JobNumber = try reply.line.integer("job")
    guard let listing = try await jobs(only: number).first else {
      throw ControlError(.missingField("job"), line: "list jobs")
    }
    let (problems, kinds) = try await problems(of: number)
    return BackupReport(
      job: listing, keptEntries: try reply.line.integer("kept-entries"),
      keptBytes: try reply.line.integer("kept-bytes"), excluded: try reply.line.integer("excluded"),
      problems: problems, problemKinds: kinds)
  }

  /// The request's line, up to what only one of its verbs has.
  private func line(_ verb: String, _ request: BackupRequest) -> ControlLine {
    var line = ControlLine(verb)
    line.set("host", host)
    if let name = request.name { line.set("name", name) }
    switch request.level {
    case .automatic: line.set("level", "auto")
    case .level(let level): line.set("level", level.rawValue)
    }
    let exclusions = request.exclusions
    if exclusions.crossesFileSystems { line.set("cross-file-systems", "yes") }
    if exclusions.leavesOutCaches { line.set("exclude-caches", "yes") }
    if let size = exclusions.largestFile { line.set("exclude-larger-than", size) }
    return line
  }

  private func send(_ line: ControlLine, _ request: BackupRequest) async throws {
    try await console.sendLine(line)
    try await console.sendFrame(.paths, PathList.encode(request.paths))
    try await console.sendFrame(.patterns, PathList.encode(request.exclusions.patterns))
  }

  /// Says what a backup would do, and does nothing.
  ///
  /// - Parameter each: is told every entry that would be saved or deleted, in canonical order; nil when nobody wants to know.
  package func estimate(
    _ request: BackupRequest, progress: @escaping @Sendable (JobProgress) -> Void,
    each: ((PlannedChange) throws -> Void)?
  ) async throws -> EstimateReport {
    var line = self.line("estimate", request)
    line.set("list", each == nil ? "no" : "yes")
    try await send(line, request)
    var problems: [FileProblem] = []
    var kinds = ProblemTally<FileTrouble>()
    let reply = try await finalReply(cancelling: true) { kind, payload in
      switch kind {
      case .progress: progress(try JobProgress(try ControlLine(payload: payload)))
      case .changes: for change in try payload.withUnsafeBytes({ try ChangeList.decode($0) }) { try each?(change) }
      case .listing:
        let problem = try FileProblem(try ControlLine(payload: payload))
        if problems.count < ProblemTally<FileTrouble>.listLimit { problems.append(problem) }
        kinds.add(FileTrouble(problem), problem.path)
      default: return
      }
    }
    guard let level = JobLevel(rawValue: try reply.line.text("level")) else {
      throw ControlError(.malformedField("level"), line: "estimate")
    }
    return EstimateReport(
      level: level, continuedJob: reply.line["continues"] == nil ? nil : try reply.line.integer("continues"),
      estimate: try BackupEstimate(reply.line), problems: problems, problemKinds: kinds)
  }

  private func problems(of job: JobNumber) async throws -> ([FileProblem], ProblemTally<FileTrouble>) {
    var line = ControlLine("list problems")
    line.set("job", job)
    try await console.sendLine(line)
    var problems: [FileProblem] = []
    var kinds = ProblemTally<FileTrouble>()
    _ = try await finalReply { kind, payload in
      guard kind == .listing else { return }
      let problem = try FileProblem(try ControlLine(payload: payload))
      if problems.count < ProblemTally<FileTrouble>.listLimit { problems.append(problem) }
      kinds.add(FileTrouble(problem), problem.path)
    }
    return (problems, kinds)
  }

  // MARK: Listings

  package func jobs() async throws -> [JobListing] { try await jobs(only: nil) }

  private func jobs(only number: JobNumber?) async throws -> [JobListing] {
    var line = ControlLine("list jobs")
    if let number { line.set("job", number) }
    try await console.sendLine(line)
    var jobs: [JobListing] = []
    _ = try await finalReply { kind, payload in
      if kind == .listing { jobs.append(try JobListing(try ControlLine(payload: payload))) }
    }
    return jobs
  }

  /// Calls `each` for every entry in canonical order.
  package func list(_ request: ListRequest, each: (EntryListing) throws -> Void) async throws {
    var line = ControlLine("list files")
    if let name = request.treeName { line.set("name", name) }
    Self.set(request.at, in: &line)
    try await console.sendLine(line)
    try await console.sendFrame(.paths, Self.encode(request.paths))
    _ = try await finalReply { kind, payload in
      guard kind == .listing else { return }
      try payload.withUnsafeBytes { bytes in
        var reader = RecordReader(bytes)
        var directory: ByteString = "/"
        while let record = try reader.next() {
          switch record {
          case .directory(_, let path): directory = ByteString(path)
          case .entry(_, _, let entry):
            try each(EntryListing(path: Self.join(directory, entry.name), entry: entry))
          default: continue
          }
        }
      }
    }
  }

  /// A path and a pattern in turn; a pattern that says no more than its path is left empty.
  static func encode(_ choices: [PathChoice]) -> [UInt8] {
    PathList.encode(
      choices.flatMap { choice in
        [choice.path, PathPattern(pattern: choice.pattern).path == choice.path ? "" : choice.pattern]
      })
  }

  private static func join(_ directory: ByteString, _ name: ByteString) -> ByteString {
    ByteString(directory == "/" ? [0x2f] + name.bytes : directory.bytes + [0x2f] + name.bytes)
  }

  private static func set(_ point: PointInTime, in line: inout ControlLine) {
    switch point {
    case .latest: return
    case .job(let number): line.set("job", number)
    case .instant(let instant): line.set("at", instant.nanoseconds)
    }
  }

  // MARK: Restore

  /// Restores what was asked for.
  ///
  /// - Parameter output: takes the bytes of a file that is streamed, in order; what it throws ends the restore.
  package func restore(
    _ request: RestoreRequest, output: @escaping @Sendable ([UInt8]) async throws -> Void,
    progress: @escaping @Sendable (JobProgress) -> Void
  ) async throws -> RestoreReport {
    var line = ControlLine("restore")
    if let name = request.treeName { line.set("name", name) }
    Self.set(request.at, in: &line)
    switch request.destination {
    case .directory(let target):
      line.set("mode", "write")
      line.set("target", target)
    case .trial(let target):
      line.set("mode", "dry-run")
      line.set("target", target)
    case .stream: line.set("mode", "stream")
    }
    line.set("overwrite", request.overwrite.rawValue)
    line.set("strip", request.strippedComponents)
    if request.usesNumericOwners { line.set("numeric-ids", "yes") }
    try await console.sendLine(line)
    try await console.sendFrame(.paths, Self.encode(request.paths))
    var problems: [RestoreProblem] = []
    var kinds = ProblemTally<String>()
    var kept: RestoreProblem?
    var toldKeptCount: UInt64 = 0
    let reply = try await finalReply(cancelling: true) { kind, payload in
      if kind == .restoredBytes { return try await output(payload) }
      let line = try ControlLine(payload: payload)
      if kind == .progress { progress(try JobProgress(line)) }
      if kind == .restoreProblem {
        let problem = try RestoreProblem(
          line, below: request.destination.directory, stripping: Int(request.strippedComponents))
        if problems.count < ProblemTally<String>.listLimit { problems.append(problem) }
        kinds.add(problem.reason, problem.path)
        if line["kept"] == "yes" {
          kept = kept ?? problem
          toldKeptCount += 1
        }
      }
    }
    let keptCount: UInt64 = try reply.line.integer("kept")
    // Of these only the first are told one by one.
    if let kept, keptCount > toldKeptCount { kinds.add(kept.reason, kept.path, count: keptCount - toldKeptCount) }
    return RestoreReport(
      job: try reply.line.integer("job"), entries: try reply.line.integer("entries"),
      files: try reply.line.integer("files"), bytes: try reply.line.integer("bytes"),
      problemCount: try reply.line.integer("problems"), problems: problems,
      problemKinds: kinds, keptCount: keptCount, replacedCount: try reply.line.integer("replaced"),
      foundDamage: try reply.line.text("damage") == "yes")
  }

  // MARK: Verification

  /// Checks the catalog against the volumes; when data is read, every block, group and file digest.
  package func verify(
    readingData: Bool, progress: @escaping @Sendable (JobProgress) -> Void
  ) async throws -> VerifyReport {
    var line = ControlLine("verify")
    line.set("data", readingData ? "yes" : "no")
    try await console.sendLine(line)
    var report = VerifyReport()
    var keptCount = 0
    let reply = try await finalReply(cancelling: true) { kind, payload in
      let line = try ControlLine(payload: payload)
      if kind == .progress { progress(try JobProgress(line)) }
      if kind == .listing { try report.take(line, &keptCount) }
    }
    report.jobs = try reply.line.integer("jobs")
    report.volumes = try reply.line.integer("volumes")
    report.blocks = try reply.line.integer("blocks")
    report.bytes = try reply.line.integer("bytes")
    report.contents = try reply.line.integer("contents")
    report.contentBytes = try reply.line.integer("content-bytes")
    return report
  }

  // MARK: The conversation

  /// Receives frames until the request's end; `cancelling` turns the task's cancellation into a cancel that the director answers.
  func finalReply(
    cancelling: Bool = false, _ body: (FrameKind, [UInt8]) async throws -> Void
  ) async throws -> Reply {
    let console = console
    return try await withTaskCancellationHandler {
      while true {
        let (kind, payload) = try await console.receiveFrame(closingOnCancel: !cancelling)
        guard kind == .jobEnd else {
          try await body(kind, payload)
          continue
        }
        let reply = try Reply(try ControlLine(payload: payload))
        guard reply.code == .directorOK else { throw PeerRefusal(reply) }
        return reply
      }
    } onCancel: {
      if cancelling { console.sendSoon(ControlLine("cancel")) }
    }
  }
}
