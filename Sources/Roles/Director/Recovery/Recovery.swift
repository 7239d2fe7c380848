import VaultCatalog
import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

/// What happens at every start: the storage daemon looks at what its volumes hold beyond the catalog, and the catalog catches up.
struct Recovery: Sendable {
  let director: Director

  /// - Returns: a reply with a `note` field for everything found, in plain words.
  func run() async throws -> Reply {
    let storage = try await director.diallers.storage()
    defer { storage.close() }
    let (volumes, notes) = try await compare(over: storage, marksInterrupted: true)
    try await finishDrop(volumes)
    return Reply(.directorOK, fields: Self.shown(notes).map { .init(key: "note", value: ByteString($0)) })
  }

  /// Lets the storage daemon look at the director's volumes in one place, and takes what it finds into the catalog.
  ///
  /// - Parameter marksInterrupted: no job can be running: those that seem to be were interrupted.
  /// - Returns: the volumes as the catalog knew them, and what was found, in plain words.
  func compare(over storage: Channel, marksInterrupted: Bool) async throws -> (known: [Volume], notes: [String]) {
    let (catalog, place) = (director.catalog, director.place)
    let volumes = try await onThread(name: "vault-catalog") { try catalog.volumes().filter { $0.place == place } }
    try await storage.request(
      ControlLine("recover"), frame: (.listing, VolumeList.encode(volumes)), expecting: .storageOK)
    let notes = try await onThread(name: "vault-recovery") {
      var notes: [String] = []
      let receiver = CommitReceiver(channel: storage, catalog: catalog, place: place)
      var job: JobRecord?
      while true {
        let (kind, payload) = try receiver.receive()
        switch kind {
        case .progress: notes.append(try ControlLine(payload: Array(payload)).text("text"))
        case .listing:
          for volume in try VolumeList.decode(payload) { try catalog.recordVolume(volume.at(place)) }
        case .jobRecord:
          job = try Self.record(payload, job, catalog, &notes)
        case .commit:
          guard let job else { throw receiver.unexpected(kind) }
          let commit = try CommitFrame(decoding: payload)
          notes.append("Job \(job.description.number): commit \(commit.number) was on the volume only; now catalogued.")
          try receiver.stage(commit, of: job.description.number)
        case .endOfCommits:
          if marksInterrupted { try Self.markInterrupted(catalog, &notes) }
          return notes
        default: throw receiver.unexpected(kind)
        }
      }
    }
    return (volumes, notes)
  }

  /// What a drop that was cut short left to be done: the storage daemon has removed purged volumes by now.
  private func finishDrop(_ known: [Volume]) async throws {
    let catalog = director.catalog
    if known.contains(where: { $0.status == .purged }) {
      try await onThread(name: "vault-catalog") { try catalog.finishFreeing() }
    } else if try await onThread(name: "vault-catalog", { try catalog.isFreeing() }) {
      _ = try await Freeing(director: director).run()
    }
  }

  /// As many notes as one line takes; the others are counted.
  private static func shown(_ notes: [String]) -> [String] {
    var room = ControlLine.byteLimit / 2
    let shown = notes.prefix { note in
      room -= 3 * note.utf8.count + 8
      return room > 0
    }
    return shown.count == notes.count
      ? notes : shown + ["\(notes.count - shown.count) further notes are left out here."]
  }

  /// A job record names the session whose commits follow; a job end record publishes it.
  private static func record(
    _ payload: UnsafeRawBufferPointer, _ job: JobRecord?, _ catalog: any CatalogStore, _ notes: inout [String]
  ) throws -> JobRecord? {
    var reader = RecordReader(payload)
    switch try reader.next() {
    case .job(let description):
      return try catalog.job(session: description.session) ?? catalog.adoptJob(description)
    case .jobEnd(let outcome):
      guard let job, let current = try catalog.job(number: job.description.number), !current.status.isPublished,
        outcome.status.isPublished
      else { return job }
      try catalog.publish(current.description.number, outcome: outcome)
      notes.append(
        "Job \(current.description.number) had ended when the power or the process went: it is published now.")
      return current
    default: throw FormatError(.malformed, "job record frame")
    }
  }

  /// Jobs that were running when the last process ended are incomplete now.
  static func markInterrupted(_ catalog: any CatalogStore, _ notes: inout [String]) throws {
    for job in try catalog.jobs(of: nil) where job.status == .running || job.status == .created {
      try catalog.endJob(
        job.description.number,
        outcome: JobOutcome(status: .incomplete, ended: job.description.created, counters: job.counters))
      notes.append(
        "Job \(job.description.number) was interrupted; the next backup of its paths goes on from its last commit.")
    }
  }
}
