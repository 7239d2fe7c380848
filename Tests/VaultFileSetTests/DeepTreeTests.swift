import Glibc
import Testing
import VaultFileSet
import VaultModel
import VaultSystem

struct DeepTreeTests {
  @Test func walksPathsLongerThanTheSystemTakes() throws {
    let tree = try TemporaryTree()
    let component = ByteString([UInt8](repeating: 0x64, count: 196))
    let bottom = try tree.makeChain(of: component, count: 24)
    _ = try Descriptor.open(at: bottom.rawValue, "deep", [.writeOnly, .create], mode: 0o644)
    let seen = try tree.walk()
    #expect(seen.problems.isEmpty)
    let deepest = try #require(seen.paths.last)
    #expect(deepest.count == tree.path.count + 24 * 197 + 5 && deepest.bytes.suffix(5).elementsEqual("/deep".utf8))
  }

  @Test func holdsOneDescriptorForAChain() throws {
    let tree = try TemporaryTree()
    let bottom = try tree.makeChain(of: "d", count: 3000)
    _ = try Descriptor.open(at: bottom.rawValue, "deep", [.writeOnly, .create], mode: 0o644)
    let seen = try tree.walk { $0.levelLimit = 1 }
    #expect(seen.problems.isEmpty && seen.entries.last?.position.name == "deep")
    #expect(tree.relative(seen).count == 3001)
  }

  @Test(arguments: [1, 2, 7]) func opensUpperLevelsAgain(_ limit: Int) throws {
    // A comb: each level has a deep subdirectory first and a shallow one after, so that all levels stay unfinished.
    let tree = try TemporaryTree()
    let component = ByteString([UInt8](repeating: 0x61, count: 150))
    var directory = try Descriptor.open(tree.path, [.readOnly, .directory])
    for level in 0..<40 {
      let tooth = ByteString("z\(level)")
      try DirectoryNames.makeDirectory(at: directory.rawValue, tooth, mode: 0o755)
      let inside = try Descriptor.open(at: directory.rawValue, tooth, [.readOnly, .directory])
      _ = try Descriptor.open(at: inside.rawValue, "file", [.writeOnly, .create], mode: 0o644)
      try DirectoryNames.makeDirectory(at: directory.rawValue, component, mode: 0o755)
      directory = try Descriptor.open(at: directory.rawValue, component, [.readOnly, .directory])
    }
    let whole = try tree.walk()
    #expect(tree.relative(whole).count == 120 && whole.problems.isEmpty)
    let seen = try tree.walk { $0.levelLimit = limit }
    #expect(seen.paths == whole.paths && seen.problems.isEmpty)
  }

  @Test func doesNotGoOnInADirectoryThatMoved() throws {
    let tree = try TemporaryTree()
    for directory in ["m", "m/a", "m/a/x", "m/a/y", "m/z", "n"] { try tree.makeDirectory(ByteString(directory)) }
    for file in ["m/a/x/trigger", "m/a/y/seen", "m/z/unseen", "n/seen"] { try tree.write(ByteString(file)) }
    let selection = try PathSelection(paths: [tree.path], workingDirectory: "/")
    var options = TreeWalker.Options()
    options.levelLimit = 1
    var visitor = MovingVisitor(tree: tree)
    try TreeWalker(selection: selection, options: options).walk(&visitor)
    let seen = visitor.recorded
    #expect(
      seen.problems == [.init(directory: tree.key("m"), name: "z", phase: .list, errorNumber: ENOENT)])
    #expect(seen.notEntered == [tree.key("m/z")] && !seen.entered.contains(tree.key("m/z")))
    #expect(tree.relative(seen).suffix(2) == ["m/a/y/seen", "n/seen"])
  }
}

/// Moves a directory away while the walk is below it.
private struct MovingVisitor: WalkVisitor {
  let tree: TemporaryTree
  var recorded = RecordingVisitor()

  mutating func enter(_ directory: WalkDirectory) throws { try recorded.enter(directory) }

  mutating func entry(
    name: UnsafeRawBufferPointer, attributes: FileAttributes, linkTarget: UnsafeRawBufferPointer,
    mayHaveHoles: Bool, in directory: WalkDirectory
  ) throws {
    try recorded.entry(
      name: name, attributes: attributes, linkTarget: linkTarget, mayHaveHoles: mayHaveHoles, in: directory)
    if ByteString(name) == "trigger" {
      let top = try Descriptor.open(tree.path, [.pathOnly, .directory])
      try DirectoryNames.rename(at: top.rawValue, "m", to: "moved")
    }
  }

  mutating func problem(
    name: UnsafeRawBufferPointer, phase: ProblemPhase, errorNumber: Int32, in directory: DirectoryKey
  ) throws {
    try recorded.problem(name: name, phase: phase, errorNumber: errorNumber, in: directory)
  }

  mutating func leave(_ directory: WalkDirectory) throws { try recorded.leave(directory) }

  mutating func notEntered(_ directory: DirectoryKey) throws { try recorded.notEntered(directory) }
}

extension TemporaryTree {
  /// Makes directories one in the other; the deepest one, open.
  fileprivate func makeChain(of component: ByteString, count: Int) throws -> Descriptor {
    var directory = try Descriptor.open(path, [.readOnly, .directory])
    for _ in 0..<count {
      try DirectoryNames.makeDirectory(at: directory.rawValue, component, mode: 0o755)
      directory = try Descriptor.open(at: directory.rawValue, component, [.readOnly, .directory])
    }
    return directory
  }
}
