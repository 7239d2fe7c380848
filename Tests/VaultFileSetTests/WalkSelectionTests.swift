import Glibc
import Testing
import VaultFileSet
import VaultModel
import VaultSystem

struct WalkSelectionTests {
  private func tree() throws -> TemporaryTree {
    let tree = try TemporaryTree()
    for directory in ["a", "a/b", "a/b/c", "a/other", "d", "e"] { try tree.makeDirectory(ByteString(directory)) }
    for file in ["a/b/c/file", "a/b/sibling", "a/other/file", "d/file", "e/file", "top"] {
      try tree.write(ByteString(file))
    }
    return tree
  }

  @Test func listsOnlyWhatLeadsToSelectedPaths() throws {
    let tree = try tree()
    let seen = try tree.walk(["a/b/c", "d", "top"])
    #expect(tree.relative(seen) == ["a", "d", "top", "a/b", "a/b/c", "a/b/c/file", "d/file"])
    #expect(seen.virtual.suffix(3) == [tree.key(""), tree.key("a"), tree.key("a/b")])
    #expect(seen.entered.suffix(2) == [tree.key("a/b/c"), tree.key("d")])
    // The way from the root is there with its attributes.
    #expect(seen.paths.first == "/tmp" && seen.entries.first?.attributes.mode == 0o1777)
    #expect(seen.order == seen.order.sorted() && seen.problems.isEmpty)
  }

  @Test func namesMissingPaths() throws {
    let tree = try tree()
    try tree.link("link", to: "a")
    let seen = try tree.walk(["absent/x", "d", "e/absent", "link/b", "top/x"])
    #expect(
      seen.problems == [
        .init(directory: tree.key(""), name: "absent", phase: .missing, errorNumber: ENOENT),
        .init(directory: tree.key(""), name: "link", phase: .missing, errorNumber: ENOTDIR),
        .init(directory: tree.key(""), name: "top", phase: .missing, errorNumber: ENOTDIR),
        .init(directory: tree.key("e"), name: "absent", phase: .missing, errorNumber: ENOENT),
      ])
    #expect(seen.notEntered == ["absent", "e/absent", "link", "top"].map { tree.key($0) })
    #expect(tree.relative(seen) == ["d", "e", "d/file"])
  }

  @Test func savesASelectedLinkItself() throws {
    let tree = try tree()
    try tree.link("link", to: "a")
    let seen = try tree.walk(["link"])
    #expect(tree.relative(seen) == ["link"] && seen.entries.last?.linkTarget == "a")
  }

  @Test func leavesOutWhatIsExcluded() throws {
    let tree = try tree()
    let repository = FileIdentity(try tree.attributes("a/b"))
    let seen = try tree.walk { $0.excluded = [repository] }
    #expect(tree.relative(seen) == ["a", "d", "e", "top", "a/other", "a/other/file", "d/file", "e/file"])
    #expect(seen.problems.isEmpty && seen.notEntered.isEmpty)
  }

  @Test func saysWhenASelectedPathIsExcluded() throws {
    let tree = try tree()
    let repository = FileIdentity(try tree.attributes("a/b"))
    let seen = try tree.walk(["a/b/c"]) { $0.excluded = [repository] }
    #expect(seen.problems.map(\.errorNumber) == [EBUSY] && tree.relative(seen) == ["a"])
  }

  @Test func staysOnItsFileSystem() throws {
    // /proc is mounted wherever this runs: the root is not walked, only the names on the way.
    let selection = try PathSelection(paths: ["/proc/self/task"], workingDirectory: "/")
    var visitor = RecordingVisitor()
    try TreeWalker(selection: selection).walk(&visitor)
    // A selected path may lie anywhere: its own file system is the one that counts below it.
    #expect(visitor.problems.contains { $0.phase == .missing } || visitor.entered.count > 3)
  }

  @Test(.enabled(if: geteuid() == 0)) func descendsIntoMountsOnlyWhenAsked() throws {
    let tree = try tree()
    let target = String(decoding: tree.absolute("a/b").bytes, as: UTF8.self)
    guard mount("none", target, "tmpfs", 0, nil) == 0 else { return }
    defer { umount2(target, 2) }
    try tree.write("a/b/mounted")
    let stays = try tree.walk()
    #expect(tree.relative(stays).contains("a/b") && !tree.relative(stays).contains("a/b/mounted"))
    #expect(stays.notEntered == [tree.key("a/b")] && stays.problems.isEmpty)
    #expect(tree.relative(try tree.walk { $0.crossesFileSystems = true }).contains("a/b/mounted"))
    // A nested path that was given by name counts where a mount lies between.
    #expect(tree.relative(try tree.walk(["", "a/b"])).contains("a/b/mounted"))
    #expect(tree.relative(try tree.walk(["", "a/b/mounted"])).contains("a/b/mounted"))
  }
}
