import Testing
import VaultFileSet
import VaultModel
import VaultProtocol
import VaultSystem

@testable import FileDaemon

/// Files that are made before their data are there.
@Suite(.timeLimit(.minutes(1))) struct FilesAheadTests {
  @Test func noMoreThanTheLimitIsOpen() async throws {
    try await Unnamed.withTarget { target, path in
      // One thread makes them in their order.
      let ahead = FilesAhead(target, threadCount: 1, randomSeed: 1, limit: 50)
      #expect((1...50).contains(ahead.limit))
      var contents = Unnamed.contents(500)
      ahead.add(contents)
      try await Unnamed.wait { ahead.openCount >= ahead.limit }
      for (number, content) in contents.enumerated() {
        try await Unnamed.wait { ahead.openCount > 0 }
        #expect(ahead.openCount <= ahead.limit + FilesAhead.contentsAtOnce)
        guard let file = content.takeFileAhead()?.take() else {
          Issue.record("content \(number), which is the next, was not made")
          continue
        }
        // Every other one gets its name.
        if number.isMultiple(of: 2) { file.discard() } else { _ = try file.commit(attributes: regular(1)) }
      }
      ahead.finish()
      contents = []
      #expect(ahead.openCount == 0)
      let names = try Unnamed.list(path)
      #expect(names.count == 250)
      #expect(names.allSatisfy { $0.bytes.first == UInt8(ascii: "f") }, "what got no name is gone")
    }
  }

  @Test func whatIsTakenIsNotMade() async throws {
    try await Unnamed.withTarget { target, _ in
      let contents = Unnamed.contents(3)
      #expect(!Unnamed.take(contents[0]))
      let ahead = FilesAhead(target, threadCount: 1, randomSeed: 1)
      ahead.add(contents)
      try await Unnamed.wait { ahead.openCount == 2 }
      ahead.finish()
      #expect(!Unnamed.take(contents[0]))
      #expect(Unnamed.take(contents[1]))
      #expect(!Unnamed.take(contents[1]), "there is one")
      #expect(ahead.openCount == 1)
      ahead.add(Unnamed.contents(1))
      #expect(ahead.openCount == 1, "nothing is made after the end")
    }
  }

  @Test func whatFailsMakesRoom() async throws {
    try await Unnamed.withTarget { target, _ in
      let ahead = FilesAhead(target, threadCount: 1, randomSeed: 1, limit: 10)
      let contents = Unnamed.contents(100)
      ahead.add(contents)
      try await Unnamed.wait { ahead.openCount >= ahead.limit }
      for content in contents.dropLast() { content.settle() }
      try await Unnamed.wait { ahead.openCount == 1 }
      #expect(Unnamed.take(contents[99]), "the last one was made")
      ahead.finish()
    }
  }

  @Test func largeContentsAreMadeWhenTheirTurnComes() async throws {
    try await Unnamed.withTarget { target, _ in
      let ahead = FilesAhead(target, threadCount: 1, randomSeed: 1)
      let large = Unnamed.contents(1, size: UInt64(GroupLimits.contentDataLimit) + 1)
      let small = Unnamed.contents(1)
      ahead.add(large + small)
      try await Unnamed.wait { ahead.openCount == 1 }
      ahead.finish()
      #expect(!Unnamed.take(large[0]) && Unnamed.take(small[0]))
    }
  }

  @Test func whereNamesComeFirstNothingIsMade() async throws {
    try await Unnamed.withTarget(having: ["there"]) { target, path in
      let ahead = FilesAhead(target, threadCount: 2, randomSeed: 1)
      ahead.add(Unnamed.contents(10))
      ahead.finish()
      #expect(ahead.openCount == 0)
      let names = try Unnamed.list(path)
      #expect(names == ["there"])
    }
  }

  @Test func failuresAreTheWorkers() async throws {
    try await Unnamed.withTarget { target, path in
      let ahead = FilesAhead(target, threadCount: 1, randomSeed: 1)
      let (bad, good) = (Unnamed.contents(5, in: "/no/../way"), Unnamed.contents(1))
      ahead.add(bad + good)
      try await Unnamed.wait { ahead.openCount == 1 }
      ahead.finish()
      for content in bad { #expect(!Unnamed.take(content)) }
      var writer = RestoreWriter(target: target, randomSeed: 2)
      #expect(throws: FileSetError.self) { _ = try writer.writeFile(for: bad[0].groups[0].rows[0]) }
      let names = try Unnamed.list(path)
      #expect(names == [])
    }
  }
}
