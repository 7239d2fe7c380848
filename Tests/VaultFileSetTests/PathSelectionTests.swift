import Testing
import VaultFileSet
import VaultModel

struct PathSelectionTests {
  @Test(arguments: [
    ("/etc", "/etc"), ("etc", "/home/here/etc"), (".", "/home/here"), ("..", "/home"), ("../../../..", "/"),
    ("//a///b//", "/a/b"), ("/a/./b/../c", "/a/c"), ("/", "/"), ("./...", "/home/here/..."),
  ])
  func normalises(_ given: String, _ expected: String) throws {
    let selection = try PathSelection(paths: [ByteString(given)], workingDirectory: "/home/here")
    #expect(selection.paths == [ByteString(expected)])
  }

  @Test func sortsAndDropsNestedPaths() throws {
    let selection = try PathSelection(
      paths: ["/a/b", "/z", "/a-c", "/a", "/a/b/c", "/z"], workingDirectory: "/")
    #expect(selection.paths == ["/a", "/a-c", "/z"])
  }

  @Test(arguments: ["", "a\0b"])
  func refuses(_ path: String) {
    #expect(throws: FileSetError(.invalidPath, ByteString(path))) {
      try PathSelection(paths: [ByteString(path)], workingDirectory: "/")
    }
  }

  @Test func resolvesLinksAboveOnly() throws {
    let tree = try TemporaryTree()
    try tree.makeDirectory("real")
    try tree.write("real/file")
    try tree.link("real/last", to: "file")
    try tree.link("way", to: "real")
    let selection = try PathSelection(
      paths: [tree.absolute("way/last"), tree.absolute("way/absent/x")], workingDirectory: "/")
    #expect(
      selection.resolvingLinksAbove().paths == [tree.absolute("real/last"), tree.absolute("way/absent/x")])
  }
}
