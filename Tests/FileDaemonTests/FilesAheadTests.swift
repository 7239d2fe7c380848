import Glibc
import Testing
import VaultFileSet
import VaultModel
import VaultProtocol
import VaultSystem

@testable import FileDaemon

/// Files that are made before their data are there.
@Suite(.timeLimit(.minutes(1))) struct FilesAheadTests {
  /// A directory of the test's own, with what `body` leaves in it; on a file system whose files need no name.
  private static func withTarget(
    having names: [ByteString] = [], _ body: (RestoreTarget, ByteString) async throws -> Void
  ) async throws {
    var template = Array("/dev/shm/vault-ahead-XXXXXX".utf8CString)
    let made = try #require(mkdtemp(&template))
    let path = ByteString(UnsafeRawBufferPointer(start: made, count: strlen(made)))
    let directory = try Descriptor.open(path, [.readOnly, .directory])
    defer {
      for name in (try? list(path)) ?? [] { _ = try? DirectoryNames.remove(at: directory.rawValue, name) }
      rmdir(made)
    }
    for name in names { _ = try Descriptor.open(at: directory.rawValue, name, [.readWrite, .create], mode: 0o600) }
    let target = try RestoreTarget(path: path, policy: .never)
    try #require(target.makesUnnamedFiles == names.isEmpty)
    try await body(target, path)
  }

  private static func list(_ path: ByteString) throws -> [ByteString] {
    var names: [ByteString] = []
    let directory = try Descriptor.open(path, [.readOnly, .directory])
    var stream = DirectoryStream()
    try stream.forEachName(in: directory.rawValue) { name in
      names.append(ByteString(name.bytes))
      return true
    }
    return names.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
  }

  private static func contents(_ count: Int, in directory: ByteString = "/", size: UInt64 = 1) -> [ContentItem] {
    (0..<count).map { number in
      let content = stored(UInt64(number), size: size)
      guard case .stored(let identifier, let sealed) = content else { fatalError("it is stored") }
      let entry = Entry(name: ByteString("f\(number)"), attributes: regular(1), content: content)
      let row = PlanBatch.Row(saved: directory, directory: directory, entry: entry)
      return ContentItem(identifier: identifier, sealed: sealed, isWithoutData: false, groups: [.init(rows: [row])])
    }
  }

  /// Takes a content's file, which goes.
  private static func take(_ content: ContentItem) -> Bool {
    guard let file = content.takeFile() else { return false }
    file.discard()
    return true
  }

  private static func wait(until condition: () -> Bool) async throws {
    while !condition() {
      try Task.checkCancellation()
      await Task.yield()
    }
  }

  @Test func noMoreThanTheLimitIsOpen() async throws {
    try await Self.withTarget { target, path in
      // One thread makes them in their order.
      let ahead = FilesAhead(target, threadCount: 1, randomSeed: 1, limit: 50)
      #expect((1...50).contains(ahead.limit))
      var contents = Self.contents(500)
      ahead.add(contents)
      try await Self.wait { ahead.openCount >= ahead.limit }
      for (number, content) in contents.enumerated() {
        try await Self.wait { ahead.openCount > 0 }
        #expect(ahead.openCount <= ahead.limit + FilesAhead.contentsAtOnce)
        guard let file = content.takeFile() else {
          Issue.record("content \(number), which is the next, was not made")
          continue
        }
        // Every other one gets its name.
        if number.isMultiple(of: 2) { file.discard() } else { _ = try file.commit(attributes: regular(1)) }
      }
      ahead.finish()
      contents = []
      #expect(ahead.openCount == 0)
      let names = try Self.list(path)
      #expect(names.count == 250)
      #expect(names.allSatisfy { $0.bytes.first == UInt8(ascii: "f") }, "what got no name is gone")
    }
  }

  @Test func whatIsTakenIsNotMade() async throws {
    try await Self.withTarget { target, _ in
      let contents = Self.contents(3)
      #expect(!Self.take(contents[0]))
      let ahead = FilesAhead(target, threadCount: 1, randomSeed: 1)
      ahead.add(contents)
      try await Self.wait { ahead.openCount == 2 }
      ahead.finish()
      #expect(!Self.take(contents[0]))
      #expect(Self.take(contents[1]))
      #expect(!Self.take(contents[1]), "there is one")
      #expect(ahead.openCount == 1)
      ahead.add(Self.contents(1))
      #expect(ahead.openCount == 1, "nothing is made after the end")
    }
  }

  @Test func whatFailsMakesRoom() async throws {
    try await Self.withTarget { target, _ in
      let ahead = FilesAhead(target, threadCount: 1, randomSeed: 1, limit: 10)
      let contents = Self.contents(100)
      ahead.add(contents)
      try await Self.wait { ahead.openCount >= ahead.limit }
      for content in contents.dropLast() { content.settle() }
      try await Self.wait { ahead.openCount == 1 }
      #expect(Self.take(contents[99]), "the last one was made")
      ahead.finish()
    }
  }

  @Test func largeContentsAreMadeWhenTheirTurnComes() async throws {
    try await Self.withTarget { target, _ in
      let ahead = FilesAhead(target, threadCount: 1, randomSeed: 1)
      let large = Self.contents(1, size: UInt64(GroupLimits.contentDataLimit) + 1)
      let small = Self.contents(1)
      ahead.add(large + small)
      try await Self.wait { ahead.openCount == 1 }
      ahead.finish()
      #expect(!Self.take(large[0]) && Self.take(small[0]))
    }
  }

  @Test func whereNamesComeFirstNothingIsMade() async throws {
    try await Self.withTarget(having: ["there"]) { target, path in
      let ahead = FilesAhead(target, threadCount: 2, randomSeed: 1)
      ahead.add(Self.contents(10))
      ahead.finish()
      #expect(ahead.openCount == 0)
      let names = try Self.list(path)
      #expect(names == ["there"])
    }
  }

  @Test func failuresAreTheWorkers() async throws {
    try await Self.withTarget { target, path in
      let ahead = FilesAhead(target, threadCount: 1, randomSeed: 1)
      let (bad, good) = (Self.contents(5, in: "/no/../way"), Self.contents(1))
      ahead.add(bad + good)
      try await Self.wait { ahead.openCount == 1 }
      ahead.finish()
      for content in bad { #expect(!Self.take(content)) }
      var writer = RestoreWriter(target: target, randomSeed: 2)
      #expect(throws: FileSetError.self) { _ = try writer.writeFile(for: bad[0].groups[0].rows[0]) }
      let names = try Self.list(path)
      #expect(names == [])
    }
  }
}
