import Glibc
import Testing
import VaultFileSet
import VaultModel
import VaultSystem

/// What an ordinary user meets; root becomes one on a thread of the test's own.
struct OrdinaryUserTests {
  private static let nobody: UInt32 = 65534

  /// Runs `body` on a thread that has no privileges on files.
  private func asOrdinaryUser(_ body: @escaping @Sendable () throws -> Void) async throws {
    typealias SetIdentity = @convention(c) (UInt32) -> Int32
    try await onThread(name: "nobody") {
      if geteuid() == 0 {
        // Only these two act on a single thread.
        for call in ["setfsgid", "setfsuid"] {
          let symbol = try #require(dlsym(nil, call))
          _ = unsafeBitCast(symbol, to: SetIdentity.self)(Self.nobody)
        }
      }
      try body()
    }
  }

  private static var userThere: UInt32 { geteuid() == 0 ? nobody : geteuid() }

  private static func tree() throws -> TemporaryTree {
    let tree = try TemporaryTree()
    guard geteuid() == 0 else { return tree }
    try NamedFile.setOwner(at: Descriptor.workingDirectory, tree.path, owner: nobody, group: nobody)
    return tree
  }

  @Test func namesWhatItMayNotSee() async throws {
    let tree = try TemporaryTree()
    let path = tree.path
    for directory in ["closed", "passable", "passable/inside", "readable"] {
      try tree.makeDirectory(ByteString(directory))
    }
    for file in ["closed/file", "passable/inside/file", "readable/file", "z"] { try tree.write(ByteString(file)) }
    let at = Descriptor.workingDirectory
    // mkdtemp's own mode admits nobody else.
    let modes: [(ByteString, UInt32)] = [("", 0o755), ("closed", 0), ("passable", 0o111), ("readable", 0o444)]
    for (name, mode) in modes { try NamedFile.setMode(at: at, tree.absolute(name), mode) }
    try await asOrdinaryUser {
      let key = DirectoryKey(path: path)
      var visitor = RecordingVisitor()
      try TreeWalker(selection: try PathSelection(paths: [path], workingDirectory: "/")).walk(&visitor)
      #expect(
        visitor.problems == [
          .init(directory: key, name: "closed", phase: .list, errorNumber: EACCES),
          .init(directory: key, name: "passable", phase: .list, errorNumber: EACCES),
          .init(directory: key.appending("readable"), name: "file", phase: .examine, errorNumber: EACCES),
        ])
      #expect(visitor.notEntered == [key.appending("closed"), key.appending("passable")])
      #expect(visitor.incomplete.isEmpty)
      // A directory that may only be passed is passed on the way to a selected path.
      var passing = RecordingVisitor()
      let inside = ByteString(path.bytes + Array("/passable/inside".utf8))
      try TreeWalker(selection: try PathSelection(paths: [inside], workingDirectory: "/")).walk(&passing)
      #expect(passing.problems.isEmpty && passing.entries.last?.position.name == "file")
    }
  }

  @Test(arguments: [true, false]) func restoresWithoutOwners(isUnnamed: Bool) async throws {
    let tree = try Self.tree()
    let path = tree.path
    try await asOrdinaryUser {
      let target = try RestoreTarget(path: path, policy: .always, triesUnnamedFiles: isUnnamed)
      var writer = RestoreWriter(target: target, randomSeed: 3)
      let foreign = RestoreFixture.attributes(mode: 0o6755, owner: 12345)
      let outcomes = [
        try writer.file("/", "tool", "x", foreign),
        try writer.createSymbolicLink(directory: "/", name: "link", target: "t", attributes: foreign),
      ]
      for case .written(let unset) in outcomes { #expect(unset.errors == [.owner: .notPermitted]) }
      #expect(!outcomes.contains(.exists))
    }
    let tool = try tree.attributes("tool")
    #expect(tool.mode == 0o755 && tool.owner == Self.userThere && tool.modified == RestoreFixture.old)
  }

  @Test func finishesReadOnlyDirectoriesInAnyOrder() async throws {
    let tree = try Self.tree()
    let path = tree.path
    let user = Self.userThere
    try await asOrdinaryUser {
      for order in [["/a", "/a/b", "/a/b/c"], ["/a/b/c", "/a/b", "/a"], ["/a/b", "/a", "/a/b/c"]] {
        var writer = RestoreWriter(
          target: try RestoreTarget(path: path, policy: .always), randomSeed: 3, directoryLimit: 1)
        for directory: ByteString in ["/a", "/a/b", "/a/b/c"] {
          // The second time they are there and closed.
          let attributes = RestoreFixture.attributes(.directory, mode: 0, owner: user)
          let outcome = try writer.createDirectory(directory, attributes: attributes)
          #expect(outcome == .made || outcome == .used(isReplaced: true))
          #expect(
            try writer.file(directory, "file", "x", RestoreFixture.attributes(mode: 0o400, owner: user)) == .written([])
          )
        }
        for (index, directory) in order.enumerated() {
          let attributes = RestoreFixture.attributes(.directory, mode: index == 2 ? 0o500 : 0, owner: user)
          var fresh = RestoreWriter(target: try RestoreTarget(path: path, policy: .always), randomSeed: 4)
          #expect(try fresh.finishDirectory(ByteString(directory), attributes: attributes) == [])
        }
      }
    }
    let seen = try tree.walk()
    guard geteuid() == 0 else { return }
    #expect(
      seen.entries.filter { $0.attributes.type == .directory }.suffix(3).map(\.attributes.mode) == [0, 0, 0o500])
    #expect(seen.entries.suffix(3).allSatisfy { $0.attributes.modified == RestoreFixture.old })
  }
}
