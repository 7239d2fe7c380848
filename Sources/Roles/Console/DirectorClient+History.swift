import VaultModel
import VaultProtocol
import VaultSession

/// What a console asks across jobs.
extension DirectorClient {
  /// Calls `each` for every version of a file that a kept job has, newest first.
  package func versions(
    of path: ByteString, treeName: ByteString?, each: (VersionListing) throws -> Void
  ) async throws {
    var line = ControlLine("list versions")
    if let treeName { line.set("name", treeName) }
    line.set("path", path)
    try await listing(line) { try each(try VersionListing($0)) }
  }

  /// Calls `each` for every path that a pattern takes, in canonical order, tree by tree.
  package func find(
    _ pattern: ByteString, treeName: ByteString?, each: (FoundListing) throws -> Void
  ) async throws {
    var line = ControlLine("find")
    if let treeName { line.set("name", treeName) }
    line.set("pattern", pattern)
    try await listing(line) { try each(try FoundListing($0)) }
  }

  /// Calls `each` for every entry that differs between two jobs, in canonical order.
  package func diff(
    _ old: JobNumber, _ new: JobNumber, path: ByteString?, each: (DifferenceListing) throws -> Void
  ) async throws {
    var line = ControlLine("diff")
    line.set("job-a", old)
    line.set("job-b", new)
    if let path { line.set("path", path) }
    try await listing(line) { try each(try DifferenceListing($0)) }
  }

  /// Drops jobs and compacts volumes, or tells what would be done.
  package func drop(
    _ request: DropRequest, progress: @escaping @Sendable (JobProgress) -> Void
  ) async throws -> DropReport {
    try await console.sendLine(Self.line(request))
    var decisions: [DropDecision] = []
    var volumes: [VolumeDecision] = []
    let reply = try await finalReply(cancelling: request.compacts) { kind, payload in
      guard kind == .listing || kind == .progress else { return }
      let line = try ControlLine(payload: payload)
      switch (kind, line.verb) {
      case (.progress, _): progress(try JobProgress(line))
      case (_, "volume"): volumes.append(try VolumeDecision(line))
      default:
        decisions.append(
          DropDecision(
            job: try JobListing(line), isKept: try line.text("action") == "keep", reason: try line.text("reason")))
      }
    }
    return DropReport(
      isDryRun: request.isDryRun, decisions: decisions, droppedCount: try reply.line.integer("dropped"),
      freedVolumes: try reply.line.integer("volumes"), freedBytes: try reply.line.integer("bytes"),
      volumes: request.compacts ? volumes.sorted { VolumeName.isBefore($0.name, $1.name) } : nil,
      rewrittenVolumes: try reply.line.integer("rewritten"))
  }

  private static func line(_ request: DropRequest) -> ControlLine {
    var line = ControlLine("drop")
    if let treeName = request.treeName { line.set("name", treeName) }
    for job in request.jobs { line.set("job", job) }
    let counts = [
      ("keep-last", request.keepLast), ("keep-daily", request.keepDaily), ("keep-weekly", request.keepWeekly),
      ("keep-monthly", request.keepMonthly), ("keep-yearly", request.keepYearly),
    ]
    for (key, count) in counts { if let count { line.set(key, count) } }
    if let within = request.keepWithin { line.set("keep-within", within) }
    if request.compacts { line.set("compact", "yes") }
    line.set("dry-run", request.isDryRun ? "yes" : "no")
    return line
  }

  /// Asks for a listing of lines.
  @discardableResult
  private func listing(_ request: ControlLine, _ each: (ControlLine) throws -> Void) async throws -> Reply {
    try await console.sendLine(request)
    return try await finalReply { kind, payload in
      if kind == .listing { try each(try ControlLine(payload: payload)) }
    }
  }
}

extension JobPoint {
  fileprivate init(_ line: ControlLine, _ key: String) throws {
    let time = key + "-at"
    self.init(
      job: try line.integer(key), ended: line[time] == nil ? nil : Timestamp(nanoseconds: try line.integer(time)))
  }
}

extension FileType {
  fileprivate init(_ line: ControlLine) throws {
    guard let type = FileType(rawValue: try line.integer("type")) else {
      throw ControlError(.malformedField("type"), line: line.verb)
    }
    self = type
  }
}

extension VersionListing {
  fileprivate init(_ line: ControlLine) throws {
    let bytes = line["entry"]?.bytes ?? []
    let entry = try bytes.withUnsafeBytes { bytes -> Entry? in
      var reader = RecordReader(bytes)
      guard case .entry(_, _, let entry)? = try reader.next() else { return nil }
      return entry
    }
    guard let entry else { throw ControlError(.malformedField("entry"), line: line.verb) }
    var end = End.none
    if line["end"] != nil {
      let point = try JobPoint(line, "ended")
      end = try line.text("end") == "replaced" ? .replaced(point) : .deleted(point)
    }
    self.init(
      entry: entry, saved: try JobPoint(line, "saved"), first: try JobPoint(line, "first"),
      last: try JobPoint(line, "last"), end: end)
  }
}

extension FoundListing {
  fileprivate init(_ line: ControlLine) throws {
    self.init(
      tree: Tree(host: try line.text("host"), name: line["name"] ?? ""), path: line["path"] ?? "",
      type: try FileType(line), size: try line.integer("size"), versionCount: try line.integer("versions"),
      first: try JobPoint(line, "first"), last: try JobPoint(line, "last"), isCurrent: try line.text("now") == "yes")
  }
}

extension VolumeDecision {
  fileprivate init(_ line: ControlLine) throws {
    guard let action = Action(rawValue: try line.text("action")) else {
      throw ControlError(.malformedField("action"), line: line.verb)
    }
    let status: Int32? = line["status"] == nil ? nil : try line.integer("status")
    self.init(
      name: try line.word(0).text ?? "", bytes: try line.integer("bytes"), neededBytes: try line.integer("needed"),
      action: action, reason: try line.text("reason"), newName: line["new"]?.text,
      newBytes: line["new-bytes"] == nil ? nil : try line.integer("new-bytes"),
      status: status.map { ExitStatus(rawValue: $0) ?? .jobFailed } ?? .done)
  }
}

extension DifferenceListing {
  fileprivate init(_ line: ControlLine) throws {
    guard let kind = Kind(rawValue: try line.text("kind")) else {
      throw ControlError(.malformedField("kind"), line: line.verb)
    }
    self.init(
      path: line["path"] ?? "", type: try FileType(line), kind: kind, what: line.all("what").compactMap(\.text),
      oldSize: line["old-size"] == nil ? nil : try line.integer("old-size"),
      newSize: line["new-size"] == nil ? nil : try line.integer("new-size"))
  }
}
