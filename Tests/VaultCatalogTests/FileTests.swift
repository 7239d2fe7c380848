import Glibc
import Testing
import VaultCatalog
import VaultModel

/// The catalog as a file: opening, refusing, closing, damage.
@Suite struct FileTests {
  private let directory: TemporaryDirectory
  private let path: String

  init() throws {
    directory = try TemporaryDirectory()
    path = directory.path + "/file:a%20b?#.sqlite"
  }

  private func open(
    _ mode: CatalogMode = .createOrOpen, newRepository: UniqueIdentifier = session(1)
  ) throws -> SQLiteCatalog {
    try SQLiteCatalog.open(path: ByteString(path), mode: mode, newRepository: newRepository)
  }

  /// A catalog with two jobs, closed.
  private func makeCatalog() throws {
    let catalog = try open()
    for number in 1...2 {
      let job = try catalog.makeJob(number == 1 ? .full : .incremental, base: UInt64(number) - 1)
      try catalog.stage(
        job,
        (0..<60).map { index -> (ByteString, Staged) in
          (
            ByteString("/d\(index % 5)/f\(index)-\(number * (index % 7))"),
            .sealed(fileEntry(ByteString("f\(index)-\(number * (index % 7))"), inode: UInt64(index)), sealed())
          )
        } + [("/d0", .whole(directoryEntry("d0"))), ("/l", .whole(linkEntry("l")))],
        problems: [("/d9", .list)], locations: (1...9).map { location($0, entry: $0, offset: 0) })
      try catalog.publish(job)
    }
    let open = try catalog.makeJob(.incremental, base: 2)
    try catalog.stage(open, [("/d0/later", .unsealed(fileEntry("later"))), ("/d0/x", .deletion)])
    try catalog.close()
  }

  @Test func aClosedCatalogIsOneFile() throws {
    try makeCatalog()
    #expect(try directory.names == ["file:a%20b?#.sqlite"])
    let again = try open(.open, newRepository: session(2))
    #expect(again.repository == session(1))
    #expect(try again.jobs(of: nil).count == 3 && again.state(2).count > 60)
    #expect(try again.paths(1).contains("/d0/f0-0"))
    try again.close()
    #expect(try directory.names == ["file:a%20b?#.sqlite"])
    #expect(throwsKind(.closed) { _ = try again.trees() })
    try again.close()
  }

  @Test func aMissingFileIsNotMade() throws {
    for mode in [CatalogMode.open, .readOnlyImmutable] {
      #expect(throwsKind(.missingCatalog) { _ = try open(mode) })
    }
    #expect(try directory.names.isEmpty)
  }

  @Test func aSecondProcessIsRefused() throws {
    let first = try open()
    // The lock is the process's own for a second connection too.
    #expect(throwsKind(.busy) { _ = try open() })
    try first.close()
    try open().close()
  }

  @Test func aReadOnlyCatalogIsReadAndNothingElse() throws {
    try makeCatalog()
    let before = try readFile(path)
    chmod(path, 0o444)
    let catalog = try open(.readOnlyImmutable)
    #expect(try catalog.paths(1).count > 60)
    #expect(try !catalog.selection(.state(tree: tree, sequence: 1), [], .contents, limit: 7).isEmpty)
    #expect(throwsKind(.readOnly) { _ = try catalog.makeJob() })
    #expect(throwsKind(.readOnly) { try catalog.publish(3, outcome: catalog.outcome(.terminated, 1)) })
    try catalog.close()
    #expect(try readFile(path) == before)
    try writeFile(path + "-wal", [1])
    #expect(throwsKind(.recoveryNeeded) { _ = try open(.readOnlyImmutable) })
  }

  @Test func anUnclosedCatalogIsRecovered() throws {
    let catalog = try open()
    let job = try catalog.makeJob()
    try catalog.stage(job, [("/a", .whole(directoryEntry("a")))])
    let database = try readFile(path)
    let log = try readFile(path + "-wal")
    try catalog.close()
    try writeFile(path, database)
    try writeFile(path + "-wal", log)
    let again = try open()
    #expect(try again.resumePoint(of: 1).position == position("/a"))
    try again.close()
  }

  @Test func aNewerSchemaIsRefused() throws {
    try makeCatalog()
    var bytes = try readFile(path)
    bytes.replaceSubrange(60..<64, with: [0, 0, 0, 77])
    try writeFile(path, bytes)
    for mode in [CatalogMode.createOrOpen, .open, .readOnlyImmutable] {
      let error = #expect(throws: CatalogError.self) { _ = try open(mode) }
      #expect(error?.kind == .newerSchema(found: 77, known: 4))
      #expect(error?.exitStatus == .usage && error?.description.contains("newer vault") == true)
    }
    #expect(try readFile(path) == bytes)
  }

  @Test(arguments: ["text", "empty", "foreign", "directory"]) func aForeignFileIsRefused(kind: String) throws {
    var bytes: [UInt8] = []
    switch kind {
    case "text": bytes = Array(String(repeating: "This is no database. ", count: 500).utf8)
    case "foreign":
      try makeCatalog()
      bytes = try readFile(path)
      bytes.replaceSubrange(68..<72, with: [0x47, 0x50, 0x4b, 0x47])
    default: break
    }
    if kind == "directory" { mkdir(path, 0o755) } else { try writeFile(path, bytes) }
    let error = #expect(throws: CatalogError.self) { _ = try open(.open) }
    if kind == "directory" {
      rmdir(path)
    } else {
      #expect(error?.kind == .notACatalog && error?.exitStatus == .usage)
      #expect(try readFile(path) == bytes, "it was not touched")
    }
  }

  @Test func callsFromManyThreadsTakeTurns() async throws {
    let catalog = try open()
    let numbers = await withTaskGroup(of: [JobNumber].self) { group in
      for worker in 0..<4 {
        group.addTask {
          (0..<20).compactMap { index in
            let request = NewJob(
              tree: Tree(host: "h", name: ByteString("\(worker)")), level: .full, baseSequence: 0,
              session: session(UInt64(worker * 100 + index)), paths: [], created: Timestamp(nanoseconds: 0))
            return try? catalog.createJob(request).description.number
          }
        }
      }
      return await group.reduce(into: []) { $0 += $1 }
    }
    #expect(numbers.sorted() == Array(1...80))
    try catalog.close()
  }

  @Test func errorsSayWhatToDo() throws {
    let catalog = try open()
    let error = #expect(throws: CatalogError.self) { try catalog.startAttempt(1, of: 5) }
    #expect(error?.activity == "starting attempt 1 of job 5" && error?.path == ByteString(path))
    #expect(error?.description.contains(ByteString(path).displayText) == true)
    try catalog.close()
  }

  /// Whatever a damaged file says, a call returns or throws.
  @Test(arguments: 1...6) func damageIsAnError(seed: Int) throws {
    try makeCatalog()
    let sound = try readFile(path)
    var random = SplitMix(seed: UInt64(seed))
    var failureCount = 0
    for _ in 0..<60 {
      var bytes = sound
      for _ in 0..<Int.random(in: 1...24, using: &random) {
        let offset = Int.random(in: 0..<bytes.count, using: &random)
        bytes[offset] ^= UInt8.random(in: 1...255, using: &random)
      }
      if Int.random(in: 0..<8, using: &random) == 0 {
        bytes.removeLast(Int.random(in: 1..<bytes.count, using: &random))
      }
      try writeFile(path, bytes)
      do {
        try useEverything()
      } catch let error as CatalogError {
        #expect(!error.description.isEmpty)
        failureCount += 1
      }
      for suffix in ["-wal", "-journal"] { unlink(path + suffix) }
    }
    #expect(failureCount > 5)
  }

  private func useEverything() throws {
    let catalog = try open(.open)
    var failure: (any Error)?
    func attempt(_ body: () throws -> Void) { do { try body() } catch { failure = error } }
    attempt { _ = try catalog.trees() }
    attempt {
      for job in try catalog.jobs(of: nil) { _ = try catalog.problems(of: job.description.number, after: 0, limit: 9) }
    }
    attempt { _ = try catalog.state(1, limit: 9) }
    attempt { _ = try catalog.state(2, limit: 100) }
    attempt { _ = try catalog.resumePoint(of: 3) }
    attempt { _ = try catalog.volumes() }
    attempt { _ = try catalog.locations(of: session(1), groups: 1...100) }
    attempt { _ = try catalog.locations(of: ContentIdentifier(session: session(1), index: 2), size: 10) }
    attempt { _ = try catalog.selection(.state(tree: tree, sequence: 1), ["/d1"], .directories) }
    attempt { _ = try catalog.selection(.state(tree: tree, sequence: 1), [], .contents, limit: 20) }
    attempt { _ = try catalog.selection(.staged(job: 3), [], .contents) }
    let question = InodeQuestion(
      device: 64768, inode: 3, size: 100, modified: FileTime(seconds: 1_700_000_000, nanoseconds: 999_999_999))
    attempt { _ = try catalog.knownContents(of: tree, [question]) }
    attempt {
      try catalog.stageCommit(CommitHeader(number: 9, attempt: 1, volumes: []), of: 3) { staging in
        let directory = try staging.directory(key("/d2"))
        for index in 100..<150 {
          try staging.entry(index: UInt64(index), directory: directory, directoryEntry(ByteString("n\(index)")))
        }
      }
    }
    attempt { try catalog.publish(3, outcome: catalog.outcome(.terminated, 1)) }
    attempt { _ = try catalog.makeJob() }
    attempt { try catalog.close() }
    if let failure { throw failure }
  }
}
