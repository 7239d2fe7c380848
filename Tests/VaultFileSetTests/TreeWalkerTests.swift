import Glibc
import Testing
import VaultFileSet
import VaultModel
import VaultSystem

struct TreeWalkerTests {
  @Test func walksInCanonicalOrder() throws {
    let tree = try TemporaryTree()
    for directory in ["a", "a-c", "a/x", "a/x/y"] { try tree.makeDirectory(ByteString(directory)) }
    for file in ["a/b", "a-c/d", "a.b", "a/x.z", "a/x/0", "a/x/y/1"] { try tree.write(ByteString(file)) }
    let seen = try tree.walk()
    #expect(
      tree.relative(seen) == [
        "a", "a-c", "a.b", "a/b", "a/x", "a/x.z", "a/x/0", "a/x/y", "a/x/y/1", "a-c/d",
      ])
    let positions = seen.entries.map(\.position)
    #expect(positions == positions.sorted())
    #expect(seen.order == seen.order.sorted())
    #expect(seen.problems.isEmpty && seen.incomplete.isEmpty && seen.openDirectory == nil)
  }

  @Test func givesWhatTheFileSystemSays() throws {
    let tree = try TemporaryTree()
    try tree.write("file", "12345")
    try tree.link("link", to: "some/where")
    #expect(mkfifo(String(decoding: tree.absolute("pipe").bytes, as: UTF8.self), 0o640) == 0)
    try NamedFile.setTimes(
      at: Descriptor.workingDirectory, tree.absolute("file"), accessed: FileTime(seconds: 5, nanoseconds: 6),
      modified: FileTime(seconds: -7, nanoseconds: 123_456_789))
    let entries = try tree.walk().entries.filter { $0.position.directory == tree.key("") }
    try #require(entries.map(\.position.name) == ["file", "link", "pipe"])
    #expect(entries[0].attributes.size == 5 && entries[0].attributes.type == .regular)
    #expect(entries[0].attributes.modified == FileTime(seconds: -7, nanoseconds: 123_456_789))
    #expect(entries[1].linkTarget == "some/where" && entries[1].attributes.type == .symbolicLink)
    #expect(entries[2].attributes.type == .fifo && entries[2].attributes.size == 0)
    var status = stat()
    #expect(lstat(String(decoding: tree.absolute("file").bytes, as: UTF8.self), &status) == 0)
    #expect(entries[0].attributes.device == UInt64(status.st_dev) && entries[0].attributes.inode == status.st_ino)
  }

  @Test func keepsNamesAsBytes() throws {
    let tree = try TemporaryTree()
    let names: [ByteString] = [
      ByteString([0xff, 0xfe]), "line\nfeed", ByteString([UInt8](repeating: 0x78, count: 255)), " ", "\u{7f}",
      ByteString([0x80]), "12345678", "123456789", "1234567",
    ]
    for name in names { try tree.write(name) }
    #expect(tree.relative(try tree.walk()) == names.sorted())
  }

  @Test(arguments: [1024, 8 * 1024, 64 * 1024])
  func sortsLargeDirectoriesThroughAFile(_ limit: Int) throws {
    let tree = try TemporaryTree()
    for index in 0..<1500 { try tree.write(ByteString("file-\(index &* 7919 % 1500)"), "") }
    for index in 0..<200 { try tree.makeDirectory(ByteString("directory-\(index)")) }
    for index in 0..<100 { try tree.makeDirectory(ByteString("directory-77/below-\(index)")) }
    try tree.write("directory-77/below-50/inside")
    let expected = tree.relative(try tree.walk())
    #expect(expected.count == 1801 && expected.last == "directory-77/below-50/inside")
    let seen = try tree.walk {
      $0.nameByteLimit = limit
      $0.temporaryDirectory = tree.path
    }
    #expect(tree.relative(seen) == expected)
    #expect(seen.order == seen.order.sorted() && seen.incomplete.isEmpty)
  }

  @Test func saysWhenThereIsNoTemporaryFile() throws {
    let tree = try TemporaryTree()
    for index in 0..<200 { try tree.write(ByteString("file-\(index)"), "") }
    let seen = try tree.walk {
      $0.nameByteLimit = 1024
      $0.temporaryDirectory = "/nowhere"
    }
    #expect(seen.incomplete == [tree.key("")])
    #expect(seen.problems.map(\.phase) == [.list] && seen.problems.map(\.errorNumber) == [ENOENT])
    // What fitted into memory is saved all the same.
    #expect(!tree.relative(seen).isEmpty && tree.relative(seen).count < 200)
  }

  @Test func stopsWhenTheVisitorDoes() throws {
    let tree = try TemporaryTree()
    for index in 0..<5 { try tree.write(ByteString("file-\(index)")) }
    #expect(throws: RecordingVisitor.Stop.self) { try tree.walk(stopsAfter: 3) }
  }

  @Test func leavesAccessTimesAlone() throws {
    let tree = try TemporaryTree()
    try tree.makeDirectory("old")
    let long = FileTime(seconds: 1_000_000, nanoseconds: 0)
    try NamedFile.setTimes(at: Descriptor.workingDirectory, tree.absolute("old"), accessed: long, modified: long)
    _ = try tree.walk()
    #expect(try tree.attributes("old").accessed == long)
  }
}
