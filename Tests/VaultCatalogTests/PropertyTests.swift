import Testing
import VaultCatalog
import VaultModel

/// Random trees over many jobs, against dictionaries.
@Suite struct PropertyTests {
  typealias State = [CanonicalPosition: Entry]

  /// What one job stages, and the rules of publishing in plain words.
  struct Change {
    var level: JobLevel
    var base: UInt64
    var rows: [CanonicalPosition: Staged] = [:]
    var problems: [(position: CanonicalPosition, phase: ProblemPhase)] = []

    /// The state after the job: what it staged, else what it must keep or leave as it is, else what its base had.
    func applied(to current: State, base: State, entries: State) -> State {
      let deleted = rows.compactMap { if case .deletion = $0.value { $0.key } else { nil } }
      var next = current.filter { !isBelowReplaced($0.key.directory) || isKeptByName($0.key) }
      if level != .incremental {
        next = base.filter { !isUnseen($0.key) }
        for (place, entry) in current where keeps(place) { next[place] = entry }
      }
      for place in deleted { next[place] = nil }
      return next.merging(entries) { $1 }
    }

    private func keeps(_ place: CanonicalPosition) -> Bool {
      isKeptByName(place) || (isBelowUnseen(place.directory) && !isBelowReplaced(place.directory))
    }

    private func isKeptByName(_ place: CanonicalPosition) -> Bool {
      problems.contains { [.open, .read, .examine, .missing].contains($0.phase) && $0.position == place }
    }

    /// What leads there was met as something else than a directory, in a directory whose listing ended early.
    private func isBelowReplaced(_ directory: DirectoryKey) -> Bool {
      rows.contains { row in
        let entry: Entry
        switch row.value {
        case .whole(let whole): entry = whole
        case .sealed(let sealed, _): entry = sealed
        case .unsealed, .deletion: return false
        }
        return entry.attributes.type != .directory && isBelowUnseen(row.key.directory)
          && directory.isWithin(row.key.directory.appending(row.key.name))
      }
    }

    /// Nobody knows whether it is there, and what it is.
    private func isUnseen(_ place: CanonicalPosition) -> Bool {
      problems.contains { [.examine, .missing].contains($0.phase) && $0.position == place }
        || isBelowUnseen(place.directory)
    }

    private func isBelowUnseen(_ directory: DirectoryKey) -> Bool {
      problems.contains { problem in
        [.examine, .list, .missing].contains(problem.phase)
          && directory.isWithin(problem.position.directory.appending(problem.position.name))
      }
    }
  }

  @Test(arguments: CatalogEngine.allCases, [1, 2, 3] as [UInt64]) func everyStateStaysAsItWas(
    engine: CatalogEngine, seed: UInt64
  ) throws {
    try engine.withCatalog { catalog in
      var random = SplitMix(seed: seed)
      let trees = [tree, Tree(host: "b", name: "y")]
      var states: [Tree: [UInt64: State]] = [:]
      for round in 1...30 {
        let chosen = trees[round % 5 == 0 ? 1 : 0]
        let published = states[chosen, default: [:]].keys.sorted()
        let change = makeChange(published, &random)
        let job = try catalog.makeJob(change.level, base: change.base, of: chosen)
        let entries = try stage(change, job, catalog, &random)
        let sequence = job.description.sequence
        if Int.random(in: 0..<6, using: &random) == 0 {
          try catalog.endJob(
            job.description.number,
            outcome: catalog.outcome([.failed, .incomplete, .canceled].randomElement(using: &random) ?? .failed, 1))
        } else {
          try catalog.publish(job)
          let current = published.last.flatMap { states[chosen]?[$0] } ?? [:]
          let base = states[chosen]?[change.base] ?? [:]
          states[chosen, default: [:]][sequence] = change.applied(to: current, base: base, entries: entries)
        }
        let limit = Int.random(in: 1...40, using: &random)
        for (each, ofTree) in states {
          for (sequence, expected) in ofTree { try check(catalog, each, sequence, expected, limit, "round \(round)") }
        }
      }
    }
  }

  func check(
    _ catalog: any CatalogStore, _ tree: Tree, _ sequence: UInt64, _ expected: State, _ limit: Int, _ note: String
  ) throws {
    let rows = try catalog.state(sequence, of: tree, limit: limit)
    let places = rows.map { CanonicalPosition(directory: $0.directory, name: $0.entry.name) }
    let found = Dictionary(zip(places, rows.map(\.entry))) { first, _ in first }
    let isRight = places == expected.keys.sorted() && found == expected && rows.allSatisfy { $0.first <= sequence }
    #expect(isRight, "\(note), sequence \(sequence) of \(tree.host)")
  }

  func makeChange(_ published: [UInt64], _ random: inout SplitMix) -> Change {
    var change: Change
    switch published.isEmpty ? 0 : Int.random(in: 0..<6, using: &random) {
    case 0: change = Change(level: .full, base: 0)
    case 1, 2: change = Change(level: .differential, base: published.randomElement(using: &random) ?? 0)
    default: change = Change(level: .incremental, base: published.last ?? 0)
    }
    // A differential on the latest state is an incremental.
    if change.level == .differential, change.base == published.last { change.level = .incremental }
    for _ in 0..<Int.random(in: 0...40, using: &random) {
      let place = randomPosition(&random)
      switch Int.random(in: 0..<10, using: &random) {
      case 0...2: change.rows[place] = .deletion
      case 3: change.rows[place] = .unsealed(fileEntry(place.name))
      case 4...5:
        change.rows[place] = .whole(directoryEntry(place.name, mode: UInt32.random(in: 0...2, using: &random)))
      case 6:
        let identifier = ContentIdentifier(session: session(900), index: UInt64.random(in: 1...3, using: &random))
        change.rows[place] = .whole(fileEntry(place.name, content: .stored(identifier, sealed())))
      case 7:
        var entry = fileEntry(place.name)
        entry.attributes.inodeFlags = .noDump
        entry.extended = extended(UInt64.random(in: 1...3, using: &random))
        change.rows[place] = .sealed(entry, sealed(digest: 1))
      default:
        change.rows[place] = .sealed(fileEntry(place.name), sealed(digest: UInt64.random(in: 1...9, using: &random)))
      }
    }
    for _ in 0..<Int.random(in: 0...3, using: &random) {
      change.problems.append((randomPosition(&random), ProblemPhase.allCases.randomElement(using: &random) ?? .open))
    }
    return change
  }

  private func randomPosition(_ random: inout SplitMix) -> CanonicalPosition {
    let names: [ByteString] = ["a", "a-c", "a.b", ByteString([0xff]), ByteString([0x0a, 0x01]), "z"]
    var directory = DirectoryKey.root
    for _ in 0..<Int.random(in: 0...3, using: &random) {
      directory = directory.appending(names[Int.random(in: 0..<3, using: &random)])
    }
    return CanonicalPosition(directory: directory, name: names.randomElement(using: &random) ?? "a")
  }

  /// Stages a change in random order over one to three commits; returns the entries that publishing shows.
  func stage(
    _ change: Change, _ job: JobRecord, _ catalog: any CatalogStore, _ random: inout SplitMix
  ) throws -> State {
    var entries: State = [:]
    var rows = change.rows.map { (path: $0.key.directory.appending($0.key.name).path, row: $0.value, place: $0.key) }
    rows.sort { $0.place < $1.place }
    rows.shuffle(using: &random)
    for (offset, row) in rows.enumerated() {
      switch row.row {
      case .whole(let entry): entries[row.place] = entry
      case .sealed(var entry, let seal):
        entry.content = .stored(
          ContentIdentifier(session: job.description.session, index: UInt64(offset) + 1), seal)
        entries[row.place] = entry
      case .unsealed, .deletion: break
      }
    }
    let parts = Int.random(in: 1...3, using: &random)
    for part in 0..<parts {
      let slice = rows[(rows.count * part / parts)..<(rows.count * (part + 1) / parts)]
      try catalog.stage(
        job, commit: UInt64(part) + 1, index: UInt64(slice.startIndex) + 1, slice.map { ($0.path, $0.row) },
        problems: part > 0
          ? [] : change.problems.map { ($0.position.directory.appending($0.position.name).path, $0.phase) })
    }
    return entries
  }
}
