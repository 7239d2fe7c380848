import Testing
import VaultCatalog
import VaultModel

/// What queries cost, counted in steps of SQLite's machine.
@Suite struct CostTests {
  private let fileCount = 4000

  private func makeCatalog() throws -> SQLiteCatalog {
    let catalog = try SQLiteCatalog.inMemory(newRepository: session(1))
    let job = try catalog.makeJob()
    try catalog.stage(job, (0..<fileCount).map { (path($0), .whole(directoryEntry(name($0)))) })
    try catalog.publish(job)
    return catalog
  }

  private func name(_ number: Int) -> ByteString { ByteString("f\(number)") }
  private func path(_ number: Int) -> ByteString { ByteString("/d\(number % 40)/f\(number)") }

  private func steps(_ catalog: SQLiteCatalog, _ body: () throws -> Void) throws -> Int64 {
    let before = catalog.stepCount
    try body()
    return catalog.stepCount - before
  }

  @Test func theLatestStateCostsTheSameAfterAHundredIncrementals() throws {
    let catalog = try makeCatalog()
    func read(_ sequence: UInt64) throws -> Int64 {
      var count = 0
      let cost = try steps(catalog) { count = try catalog.state(sequence, limit: 512).count }
      #expect(count == fileCount)
      return cost
    }
    let first = try read(1)
    for number in 1...100 {
      let job = try catalog.makeJob(.incremental, base: UInt64(number))
      try catalog.stage(
        job,
        (0..<40).map { index in
          let file = (number * 40 + index) % fileCount
          return (path(file), .whole(directoryEntry(name(file), mode: UInt32(number))))
        })
      try catalog.publish(job)
    }
    let sorts = catalog.sortCount
    let last = try read(101)
    #expect(last <= first + first / 100, "\(first) steps before, \(last) after")
    #expect(try catalog.state(50, limit: 512).count == fileCount)
    #expect(catalog.sortCount == sorts, "states come in order out of their tables")
    let page = try steps(catalog) {
      _ = try catalog.readDirectory(
        of: .state(tree: tree, sequence: 101), directory: key("/d7"), after: "f3", limit: 10
      ) { _ in }
    }
    #expect(page < 400, "a page of a directory took \(page) steps")
  }

  @Test func versionsAndHistoryCostNothingPerJobOrFile() throws {
    let catalog = try makeCatalog()
    for number in 1...50 {
      let job = try catalog.makeJob(.incremental, base: UInt64(number))
      try catalog.stage(job, [(path(17), .whole(directoryEntry(name(17), mode: UInt32(number))))])
      try catalog.publish(job)
    }
    let sorts = catalog.sortCount
    var versions: [EntryVersion] = []
    let one = try steps(catalog) {
      _ = try catalog.readVersions(of: tree, at: position(path(17)), before: nil, limit: 5) { versions.append($0) }
    }
    #expect(versions.map(\.saved.number) == [51, 50, 49, 48, 47])
    #expect(versions.map(\.ended?.number) == [nil, 51, 50, 49, 48])
    #expect(one < 2000, "five versions took \(one) steps")
    var seen = 0
    var cursor: HistoryCursor?
    var worst: Int64 = 0
    repeat {
      let cost = try steps(catalog) {
        cursor = try catalog.readHistory(of: tree, after: cursor, limit: 100, accept: { _, _ in true }) { _ in seen += 1
        }
      }
      worst = max(worst, cost)
    } while cursor != nil
    #expect(seen == fileCount + 50)
    #expect(worst < 20_000, "a page of a hundred took \(worst) steps")
    #expect(
      catalog.sortCount - sorts <= 1, "history comes in order out of its tables; one file's versions may be sorted")
  }

  @Test func aSmallPublishDoesNotTouchTheRest() throws {
    let catalog = try makeCatalog()
    let job = try catalog.makeJob(.incremental, base: 1)
    try catalog.stage(job, [(path(17), .deletion), (path(18), .whole(directoryEntry(name(18), mode: 1)))])
    let cost = try steps(catalog) { try catalog.publish(job) }
    #expect(cost < Int64(fileCount), "publishing two changes took \(cost) steps")
    #expect(try catalog.state(2).count == fileCount - 1)
  }

  @Test func aQuestionForAnInodeCostsNothingPerFile() throws {
    let catalog = try SQLiteCatalog.inMemory(newRepository: session(1))
    let job = try catalog.makeJob()
    try catalog.stage(
      job, (0..<fileCount).map { (path($0), .sealed(fileEntry(name($0), inode: UInt64($0) + 100), sealed())) })
    try catalog.publish(job)
    let question = InodeQuestion(
      device: 64768, inode: 2100, size: 100, modified: fileEntry("x").attributes.modified)
    var answers = try catalog.knownContents(of: tree, [question])
    // The first question has made the index.
    let cost = try steps(catalog) { answers = try catalog.knownContents(of: tree, [question]) }
    #expect(answers.first??.isStored == true)
    #expect(cost < 100, "it took \(cost) steps")
  }
}

extension ContentReference {
  fileprivate var isStored: Bool {
    if case .stored = self { true } else { false }
  }
}
