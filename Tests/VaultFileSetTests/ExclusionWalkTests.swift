import Glibc
import Testing
import VaultFileSet
import VaultModel
import VaultSystem

/// What a walk of a real directory leaves out.
@Suite struct ExclusionWalkTests {
  private static let signature = "Signature: 8a477f597d28d172789f06886806bc55"

  private func tree() throws -> TemporaryTree {
    let tree = try TemporaryTree()
    for directory in ["a", "a/b", "a/b/c", "d", "d/b"] { try tree.makeDirectory(ByteString(directory)) }
    for file in ["a/b/c/file", "a/b/sibling", "a/x.o", "d/b/file", "top"] { try tree.write(ByteString(file)) }
    return tree
  }

  private func exclusions(_ patterns: ByteString...) throws -> Exclusions {
    Exclusions(patterns: try patterns.map { try ExclusionPattern($0) })
  }

  @Test func leavesOutByPattern() throws {
    let tree = try tree()
    let out = try exclusions("*.o", "/a/b")
    let seen = try tree.walk { $0.exclusions = out }
    #expect(tree.relative(seen) == ["a", "d", "top", "d/b", "d/b/file"])
    #expect(!seen.order.contains(tree.key("a/b")) && seen.incomplete.isEmpty && seen.problems.isEmpty)
  }

  @Test func countsWhatItLeavesOut() throws {
    let tree = try tree()
    var options = TreeWalker.Options()
    options.exclusions = try exclusions("b", "top")
    var visitor = RecordingVisitor()
    let selection = try PathSelection(paths: [tree.path], workingDirectory: "/")
    #expect(try TreeWalker(selection: selection, options: options).walk(&visitor) == 3)
  }

  @Test func aSelectedPathIsVisitedWhateverMatchesIt() throws {
    let tree = try tree()
    let everything = try exclusions("*")
    #expect(tree.relative(try tree.walk(["a", "top"]) { $0.exclusions = everything }) == ["a", "top"])
    // Within another one, too: with the way to it, and nothing else of what was left out.
    let b = try exclusions("b")
    let nested = try tree.walk(["", "a/b/c"]) { $0.exclusions = b }
    #expect(tree.relative(nested) == ["a", "d", "top", "a/b", "a/x.o", "a/b/c", "a/b/c/file"])
    #expect(nested.virtual.last == tree.key("a/b"))
    let itself = try tree.walk(["", "a/b"]) { $0.exclusions = b }
    #expect(tree.relative(itself).contains("a/b/c/file") && !tree.relative(itself).contains("d/b"))
  }

  @Test func keepsOfACacheItsTag() throws {
    let tree = try tree()
    try tree.write("a/CACHEDIR.TAG", Self.signature + "\n# a comment")
    try tree.write("d/CACHEDIR.TAG", "Signature: none")
    let seen = try tree.walk { $0.exclusions.leavesOutCaches = true }
    #expect(tree.relative(seen) == ["a", "d", "top", "a/CACHEDIR.TAG", "d/CACHEDIR.TAG", "d/b", "d/b/file"])
    #expect(tree.relative(try tree.walk()).count == 12)
    // A selected path within the cache is visited.
    let nested = try tree.walk(["", "a/b/c"]) { $0.exclusions.leavesOutCaches = true }
    #expect(tree.relative(nested).contains("a/b/c/file") && !tree.relative(nested).contains("a/b/sibling"))
  }

  @Test func onlyAFileIsATag() throws {
    let tree = try tree()
    try tree.write("tag", Self.signature)
    try tree.link("a/CACHEDIR.TAG", to: "../tag")
    #expect(mkfifo(String(decoding: tree.absolute("d/CACHEDIR.TAG").bytes, as: UTF8.self), 0o600) == 0)
    try tree.makeDirectory("a/b/CACHEDIR.TAG")
    let seen = try tree.walk { $0.exclusions.leavesOutCaches = true }
    #expect(tree.relative(seen) == tree.relative(try tree.walk()))
  }

  @Test func leavesOutLargeFiles() throws {
    let tree = try tree()
    try tree.write("a/four", "1234")
    try tree.write("a/five", "12345")
    let seen = try tree.walk(["", "a/five"]) { $0.exclusions.largestFile = 3 }
    #expect(tree.relative(seen) == ["a", "d", "a/b", "a/five", "a/b/c", "d/b"])
    #expect(tree.relative(try tree.walk { $0.exclusions.largestFile = 4 }).count == 11)
  }
}
