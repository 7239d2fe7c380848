import Synchronization
import Testing
import VaultCatalog
import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

@testable import Director

/// What a director lets a file daemon read for a restore.
@Suite(.timeLimit(.minutes(1))) struct ReadingSessionsTests {
  private struct NoFileDaemon: Error {}

  /// The sessions named in the requests that a storage daemon gets for a restore, line by line.
  private func announced(_ catalog: SQLiteCatalog, restoring tree: Tree) async throws -> [[String]] {
    let (here, there) = PipeTransport.pair(capacity: 1 << 20)
    let director = Director(
      name: "dir", catalog: catalog, clock: SystemClock(),
      diallers: Director.Diallers(storage: { Channel(here) }, fileDaemon: { throw NoFileDaemon() }))
    let restore = RestoreJob(
      director: director, line: try line("restore = host=\(tree.host) name=\(tree.name.displayText)"), arguments: [],
      cancel: CancelSignal()
    ) { _, _ in }
    async let storage = {
      let channel = Channel(there)
      var lines: [[String]] = []
      while let line = try await channel.receiveLine() {
        #expect(line.verb == "read job")
        lines.append(line.all("session").compactMap(\.text))
        try await channel.sendReply(Reply(.storageOK))
      }
      return lines
    }()
    await #expect(throws: NoFileDaemon.self) { _ = try await restore.run() }
    return try await storage
  }

  @Test func theSessionsOfItsTreeAndNoOther() async throws {
    let catalog = try emptyCatalog()
    for (number, tree) in [home, work, home, work, home].enumerated() {
      try catalog.publishJob(["/a/", ByteString("/a/x\(number)")], of: tree, ended: Int64(number))
    }
    // A dropped job's blocks may hold what later ones refer to.
    _ = try catalog.dropJobs([1], at: Timestamp(nanoseconds: 9))
    let lines = try await announced(catalog, restoring: home)
    #expect(lines == [[1, 3, 5].map { session($0).text }])
    #expect(try await announced(catalog, restoring: work) == [[2, 4].map { session($0).text }])
  }

  @Test func moreThanALineHolds() async throws {
    let catalog = try emptyCatalog()
    for number in 1...1500 {
      _ = try catalog.adoptJob(
        JobDescription(
          number: UInt64(number), session: session(UInt64(number)), tree: home, level: .full, sequence: UInt64(number),
          baseSequence: 0, created: Timestamp(nanoseconds: 1), paths: ["/"]))
    }
    try catalog.publishJob(["/a/", "/a/x"], of: home, ended: 9)
    let lines = try await announced(catalog, restoring: home)
    #expect(lines.count == 3 && lines.joined().elementsEqual((1...1501).map { session($0).text }))
  }
}
