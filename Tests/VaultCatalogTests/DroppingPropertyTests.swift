import Testing
import VaultCatalog
import VaultModel

/// Random drops among random jobs, with volumes rewritten in between: no kept state ever changes, nothing that it needs is freed, and a catalog that is
/// rebuilt from what volumes must still hold has the same kept states.
@Suite struct DroppingPropertyTests {
  typealias State = PropertyTests.State

  /// What a job staged, for replaying it; its groups lie on a volume of its own.
  private struct Recorded {
    var job: JobRecord
    var change: PropertyTests.Change
    var seed: UInt64
    var isPublished: Bool
  }

  private static func volume(of session: UniqueIdentifier) -> Volume {
    Volume(
      identifier: UniqueIdentifier(high: 77, low: session.low), name: "vol-\(session.low)", status: .full,
      end: BlockAddress(block: 10), labeled: Timestamp(nanoseconds: 5))
  }

  /// The volumes that took the places of those that jobs were staged on.
  private struct Replacements {
    var current: [UniqueIdentifier: UniqueIdentifier] = [:]
    var count: UInt64 = 0

    func volume(of session: UniqueIdentifier) -> UniqueIdentifier {
      let first = DroppingPropertyTests.volume(of: session).identifier
      return current[first] ?? first
    }
  }

  @Test(arguments: CatalogEngine.allCases, 1...10) func keptStatesStay(engine: CatalogEngine, seed: Int) throws {
    // On a server each of the many small calls is a round trip: fewer histories tell as much there.
    if engine == .server, seed > 2 { return }
    try engine.withCatalog { catalog in
      var random = SplitMix(seed: UInt64(seed) &* 7919)
      var states: [Tree: [UInt64: State]] = [:]
      var recorded: [Recorded] = []
      var replacements = Replacements()
      let trees = [tree, Tree(host: "b", name: "y")]
      for round in 1...40 {
        let chosen = trees[round % 5 == 0 ? 1 : 0]
        let made = try add(to: catalog, chosen, &states, &random)
        recorded.append(made)
        if Int.random(in: 0..<3, using: &random) == 0 { try drop(in: catalog, &states, &random) }
        if round % 4 == 0 { try compact(catalog, recorded, &replacements) }
        let limit = Int.random(in: 1...40, using: &random)
        for (each, ofTree) in states {
          for (sequence, expected) in ofTree {
            try PropertyTests().check(catalog, each, sequence, expected, limit, "round \(round)")
          }
        }
        if round % 10 == 0 { try checkNeeds(catalog, recorded, states, replacements) }
      }
      #expect(replacements.count > 10, "nothing was rewritten")
    }
  }

  private func add(
    to catalog: any CatalogStore, _ chosen: Tree, _ states: inout [Tree: [UInt64: State]], _ random: inout SplitMix
  ) throws -> Recorded {
    let published = states[chosen, default: [:]].keys.sorted()
    let change = PropertyTests().makeChange(published, &random)
    let next = (try catalog.retentionMarks().lastNumber) + 1
    let job = try catalog.createJob(
      NewJob(
        tree: chosen, level: change.level, baseSequence: change.base, session: session(next), paths: ["/etc"],
        created: Timestamp(nanoseconds: Int64(next))))
    #expect(job.description.number == next, "a number was given twice")
    let seed = random.next()
    let entries = try stage(change, job, catalog, seed)
    let isPublished = Int.random(in: 0..<6, using: &random) > 0
    if isPublished {
      try catalog.publish(job)
      let current = published.last.flatMap { states[chosen]?[$0] } ?? [:]
      states[chosen, default: [:]][job.description.sequence] = change.applied(
        to: current, base: states[chosen]?[change.base] ?? [:], entries: entries)
    } else {
      try catalog.endJob(job.description.number, outcome: catalog.outcome(.incomplete, 1))
    }
    return Recorded(job: job, change: change, seed: seed, isPublished: isPublished)
  }

  /// Stages a change the same way whenever the seed is the same, with a group for all contents.
  private func stage(
    _ change: PropertyTests.Change, _ job: JobRecord, _ catalog: any CatalogStore, _ seed: UInt64
  ) throws -> State {
    let volume = Self.volume(of: job.description.session)
    try catalog.recordVolume(volume)
    var random = SplitMix(seed: seed)
    // Dictionaries have another order each time: the rows are put in order first.
    let entries = try PropertyTests().stage(change, job, catalog, &random)
    let data = GroupLocation(
      group: 1, kind: .data, firstEntry: 1, firstOffset: 0, volume: volume.identifier, block: BlockAddress(block: 1),
      storedLength: 100, rawLength: 200)
    var attributes = data
    attributes.group = 2
    attributes.kind = .attributes
    attributes.block = BlockAddress(block: 2)
    try catalog.stage(job, commit: 9, [], locations: [data, attributes])
    return entries
  }

  /// Drops some jobs, now and then the newest, too.
  private func drop(
    in catalog: any CatalogStore, _ states: inout [Tree: [UInt64: State]], _ random: inout SplitMix
  ) throws {
    let jobs = try catalog.jobs(of: nil)
    let count = Int.random(in: 1...max(1, jobs.count / 2), using: &random)
    let chosen = jobs.shuffled(using: &random).prefix(count)
    let dropped = try catalog.dropJobs(chosen.map(\.description.number), at: Timestamp(nanoseconds: 99))
    #expect(Set(dropped.map(\.description.number)).isSuperset(of: chosen.map(\.description.number)))
    for job in dropped {
      states[job.description.tree]?[job.description.sequence] = nil
      #expect(try catalog.job(number: job.description.number) == nil)
    }
    #expect(try catalog.isFreeing())
    if Bool.random(using: &random) {
      try catalog.purgeVolumes(try catalog.unneededVolumes().map(\.identifier), recording: [])
      try catalog.finishFreeing()
      #expect(try !catalog.isFreeing())
    }
  }

  /// Moves what is needed of every volume onto a new one, as if each were worth it; a job that goes on keeps its volume.
  private func compact(
    _ catalog: any CatalogStore, _ recorded: [Recorded], _ replacements: inout Replacements
  ) throws {
    for need in try catalog.volumeNeeds(ifDropping: [], at: Timestamp(nanoseconds: 1)) where !need.isGoingOn {
      guard
        let record = recorded.first(where: {
          replacements.volume(of: $0.job.description.session) == need.volume.identifier
        })
      else { continue }
      let session = record.job.description.session
      let needed = try catalog.neededGroups(on: need.volume.identifier, blocks: 0..<10_000)
      #expect(need.isNeeded == !needed.isEmpty)
      #expect(need.groupByteCount == UInt64(Set(needed.map(\.block)).count) * 4096)
      guard need.isNeeded else { continue }
      replacements.count += 1
      let moved = needed.map { BlockGroup(block: $0.block + 10, group: $0.group) }
      var new = need.volume
      new.identifier = UniqueIdentifier(high: 78, low: replacements.count)
      new.name = "new-\(replacements.count)"
      try catalog.beginMoving()
      #expect(throws: CatalogError.self, "what is needed may not be left behind") {
        try catalog.replaceVolume(need.volume.identifier, by: new)
      }
      #expect(try catalog.volumes().contains(need.volume), "nothing has changed then")
      try catalog.noteMoved(moved, of: session)
      try catalog.replaceVolume(need.volume.identifier, by: new)
      try catalog.finishFreeing()
      replacements.current[Self.volume(of: session).identifier] = new.identifier
      let locations = try catalog.locations(of: session, groups: 1...2)
      #expect(locations.map { BlockGroup(block: $0.block.block, group: $0.group) } == moved)
      #expect(locations.allSatisfy { $0.volume == new.identifier }, "the others are forgotten")
    }
  }

  /// What is needed is there, what is not is free, and replaying the needed sessions gives the kept states.
  private func checkNeeds(
    _ catalog: any CatalogStore, _ recorded: [Recorded], _ states: [Tree: [UInt64: State]],
    _ replacements: Replacements
  ) throws {
    let unneeded = Set(try catalog.unneededVolumes().map(\.identifier))
    let present = Set(try catalog.volumes().map(\.identifier)).subtracting(unneeded)
    for state in states.values.flatMap(\.values) {
      for case .stored(let content, _) in state.values.map(\.content) where content.session.low < 900 {
        #expect(present.contains(replacements.volume(of: content.session)))
        #expect(try !catalog.locations(of: content, size: 10).isEmpty)
      }
    }
    let needed = Set(try catalog.neededSessions().map(\.session))
    for record in recorded where present.contains(replacements.volume(of: record.job.description.session)) {
      #expect(needed.contains(record.job.description.session))
    }
    let marks = try catalog.retentionMarks()
    let rebuilt = try SQLiteCatalog.inMemory(newRepository: session(1))
    try rebuilt.reserveJobNumbers(through: marks.lastNumber)
    var again: [JobNumber] = []
    for record in recorded where record.isPublished {
      let description = record.job.description
      let retention = marks.trees.first { $0.tree == description.tree }
      let isSkipped =
        retention.map { description.sequence < $0.firstKept || $0.undone.contains(description.sequence) } ?? false
      if isSkipped { continue }
      #expect(needed.contains(description.session), "job \(description.number) is to be replayed and may be gone")
      #expect(present.contains(replacements.volume(of: description.session)), "its attributes may go")
      #expect(try catalog.locations(of: description.session, groups: 2...2).count == 1, "its attributes are gone")
      let job = try rebuilt.adoptJob(description)
      _ = try stage(record.change, job, rebuilt, record.seed)
      try rebuilt.publish(job)
      if retention?.dropped.contains(description.sequence) == true { again.append(description.number) }
    }
    _ = try rebuilt.dropJobs(again, at: Timestamp(nanoseconds: 1))
    for (each, ofTree) in states {
      for (sequence, expected) in ofTree {
        try PropertyTests().check(rebuilt, each, sequence, expected, 4096, "rebuilt")
      }
    }
    try rebuilt.close()
  }
}
