import Testing
import VaultCrypto
import VaultFileSet
import VaultModel
import VaultSession
import VaultSystem

@testable import FileDaemon

/// Files that get their names after their data, by threads of their own or none.
@Suite(.timeLimit(.minutes(1))) struct FilesBehindTests {
  private let queue = RestoreQueue(capacity: 1)
  private let report: RestoreReport

  init() throws {
    let director = Channel(try PipeListener(name: "dir", capacity: 4096).connect(from: "fd"))
    report = RestoreReport(director: director, clock: SystemClock())
  }

  private func behind(threadCount: Int) -> FilesBehind {
    FilesBehind(FileNames(report: report, lists: ExtendedLists()), queue, threadCount: threadCount)
  }

  /// Makes the files of contents and writes a byte into each.
  private func write(_ contents: [ContentItem], _ ahead: FilesAhead) async throws {
    let byte = UnsafeMutableRawBufferPointer.allocate(byteCount: 1, alignment: 1)
    defer { byte.deallocate() }
    byte[0] = 7
    ahead.add(contents)
    try await Unnamed.wait { ahead.openCount == contents.count }
    for content in contents {
      guard let file = content.takeFileAhead() else {
        Issue.record("it was not made")
        continue
      }
      content.settle()
      try file.write(content.sealed, [ContentPiece(offset: 0, bytes: UnsafeRawBufferPointer(byte))])
      content.leaveWritten(file)
    }
    #expect(ahead.openCount == contents.count, "they count until they have their names")
  }

  /// What the report says at the end: entries, bytes, kept.
  private var told: [ByteString?] { ["entries", "bytes", "kept"].map { report.reply().line[$0] } }

  @Test(arguments: [0, 1, 3]) func eachGetsItsName(_ threadCount: Int) async throws {
    try await Unnamed.withTarget { target, path in
      let (ahead, behind) = (FilesAhead(target, threadCount: 1, randomSeed: 1), behind(threadCount: threadCount))
      for batch: UInt64 in 1...20 {
        let contents = Unnamed.contents(10, from: batch * 10)
        try await write(contents, ahead)
        behind.add(contents, of: batch)
        if threadCount == 0 { #expect(ahead.openCount == 0, "whoever adds them does it") }
        // The batch is done when its files have their names.
        try queue.wait(for: batch)
        #expect(ahead.openCount == 0)
      }
      behind.finish()
      ahead.finish()
      #expect(told == ["200", "200", "0"])
      let names = try Unnamed.list(path)
      #expect(names.count == 200)
    }
  }

  @Test func whatNobodyLeftIsTold() async throws {
    let behind = behind(threadCount: 1)
    behind.add([], of: 1)
    behind.add(Unnamed.contents(1), of: 1)
    try await elsewhere { [queue] in try queue.wait(for: 1) }
    behind.finish()
    #expect(report.reply().line["problems"] == "1")
  }

  @Test func severalNamesAreNotOneName() {
    let item = Unnamed.contents(1)[0]
    #expect(item.isOneName)
    var row = item.groups[0].rows[0]
    func isOneName(_ groups: [[PlanBatch.Row]]) -> Bool {
      ContentItem(
        identifier: item.identifier, sealed: item.sealed, isWithoutData: false,
        groups: groups.map { ContentItem.LinkGroup(rows: $0) }
      ).isOneName
    }
    #expect(isOneName([[row]]) && !isOneName([[row, row]]) && !isOneName([[row], [row]]))
    row.entry.attributes.inodeFlags = [.immutable]
    #expect(!isOneName([[row]]), "they are set when the file has its name")
  }

  @Test(arguments: [false, true]) func whatWaitsAtTheEndGetsItsName(_ isSettledAgain: Bool) async throws {
    try await Unnamed.withTarget { target, path in
      let (ahead, behind) = (FilesAhead(target, threadCount: 1, randomSeed: 1), behind(threadCount: 1))
      let contents = Unnamed.contents(10)
      try await write(contents, ahead)
      if isSettledAgain { for content in contents { content.settle() } }
      behind.add(contents, of: 1)
      behind.finish()
      ahead.finish()
      let names = try Unnamed.list(path)
      #expect(names.count == 10, "whoever settles them leaves what is written")
    }
  }

  @Test func whatHasTheNameIsKept() async throws {
    try await Unnamed.withTarget { target, path in
      let (ahead, behind) = (FilesAhead(target, threadCount: 1, randomSeed: 1), behind(threadCount: 1))
      let contents = Unnamed.contents(3)
      try await write(contents, ahead)
      let directory = try Descriptor.open(path, [.readOnly, .directory])
      _ = try Descriptor.open(at: directory.rawValue, "f1", [.readWrite, .create], mode: 0o600)
      behind.add(contents, of: 1)
      behind.finish()
      ahead.finish()
      #expect(told == ["2", "2", "1"])
      let kept = try FileStatus.read(at: directory.rawValue, name: "f1")
      #expect(kept.size == 0 && kept.mode == 0o600)
      let names = try Unnamed.list(path)
      #expect(names == ["f0", "f1", "f2"])
    }
  }
}
