import VaultCatalog
import VaultModel

/// A catalog on a server, in the words of the command line: directory of the socket, its number, user and database.
struct ServerPlace {
  private let words: [String]

  init(_ words: ArraySlice<String>) { self.words = Array(words) }

  func open() throws -> PostgreSQLCatalog {
    guard let port = UInt16(words[1]) else { throw MeasurementError("\(words[1]) is no port") }
    return try PostgreSQLCatalog.open(
      PostgreSQLParameters(
        port: port, socketDirectory: words[0], database: words[3], user: words[2],
        schema: PostgreSQLParameters.schema(ofDirector: "bench")), newRepository: .random())
  }
}

/// Rows into a catalog, as a backup brings them there: staged by commits, then published.
enum CatalogMeasurement {
  static let tree = Tree(host: "bench-fd", name: "bench")
  /// What 2 MiB of attributes are, about: how many a director takes at once.
  private static let commitRowCount = 15_000
  private static let directoryRowCount = 1_000
  private static let content = SealedContent(
    size: 4096, algorithm: .sha256, digest: Digest256(words: (0x0123_4567_89ab_cdef, 2, 3, 4)))

  static func loadSQLite(_ file: ByteString, rowCount: Int) throws {
    let catalog = try SQLiteCatalog.open(path: file, mode: .createOrOpen, newRepository: .random())
    try load(catalog, "catalog load, SQLite", rowCount: rowCount)
  }

  static func load(_ catalog: any CatalogStore, _ name: String, rowCount: Int) throws {
    let job = try begin(catalog)
    let watch = Stopwatch()
    for (number, start) in stride(from: 0, to: rowCount, by: commitRowCount).enumerated() {
      let rows = start..<min(rowCount, start + commitRowCount)
      try catalog.stageCommit(CommitHeader(number: UInt64(number) + 1, attempt: 1, volumes: []), of: job) { staging in
        for row in rows { try stage(row, staging) }
      }
    }
    try publish(catalog, job)
    watch.report(name, rowCount, "rows")
    try catalog.close()
  }

  /// One published job with one file: the pattern of what SQL then multiplies.
  static func seed(_ catalog: any CatalogStore) throws {
    let job = try begin(catalog)
    try catalog.stageCommit(CommitHeader(number: 1, attempt: 1, volumes: []), of: job) { try stage(0, $0) }
    try publish(catalog, job)
    try catalog.close()
  }

  static func directory(_ number: Int) -> DirectoryKey {
    DirectoryKey(path: ByteString("/data/directory-\(number)"))
  }

  private static func begin(_ catalog: any CatalogStore) throws -> JobNumber {
    let job = try catalog.createJob(
      NewJob(
        tree: tree, level: .full, baseSequence: 0, session: .random(), paths: ["/data"],
        created: Timestamp(nanoseconds: 1_700_000_000_000_000_000), jobName: "bench"))
    try catalog.startAttempt(1, of: job.description.number)
    return job.description.number
  }

  private static func stage(_ row: Int, _ staging: any StagingTransaction) throws {
    let index = UInt64(row) + 1
    let number = try staging.directory(directory(row / directoryRowCount))
    let time = FileTime(seconds: 1_700_000_000 + Int64(row), nanoseconds: 5)
    let entry = Entry(
      name: ByteString("file-\(row % directoryRowCount)"),
      attributes: FileAttributes(
        type: .regular, mode: 0o644, owner: 1000, group: 1000, device: 2049, inode: index, size: content.size,
        modified: time, changed: time, accessed: time),
      content: .own)
    try staging.entry(index: index, directory: number, entry)
    try staging.seal(index: index, content)
  }

  private static func publish(_ catalog: any CatalogStore, _ job: JobNumber) throws {
    try catalog.publish(
      job,
      outcome: JobOutcome(
        status: .terminated, ended: Timestamp(nanoseconds: 1_700_000_100_000_000_000), counters: JobCounters()))
  }
}
