import Glibc
import Testing
import VaultFileSet
import VaultModel
import VaultSystem

struct RestoreSafetyTests {
  let fixture: RestoreFixture
  var tree: TemporaryTree { fixture.tree }

  init() throws { fixture = try RestoreFixture() }

  @Test(arguments: ["", ".", "..", "a/b", "/", "a\0b", String(repeating: "x", count: 256)])
  func refusesUnsafeNames(_ name: String) throws {
    var writer = try fixture.writer()
    let name = ByteString(name)
    let error = #expect(throws: FileSetError.self) { _ = try writer.file("/d", name) }
    #expect(error?.kind == .unsafeName)
    #expect(throws: FileSetError.self) {
      _ = try writer.createSymbolicLink(
        directory: "/d", name: name, target: "t", attributes: RestoreFixture.attributes(.symbolicLink))
    }
    #expect(try tree.names("").isEmpty)
  }

  @Test(arguments: ["", "d", "../d", "/..", "/a/../../b", "/a//b", "/a/", "/./a", "/a\0"])
  func refusesUnsafeDirectories(_ path: String) throws {
    var writer = try fixture.writer()
    let path = ByteString(path)
    let attributes = RestoreFixture.attributes(.directory)
    #expect(throws: FileSetError.self) { _ = try writer.file(path, "file") }
    #expect(throws: FileSetError.self) { _ = try writer.createDirectory(path, attributes: attributes) }
    #expect(throws: FileSetError.self) { _ = try writer.finishDirectory(path, attributes: attributes) }
    #expect(try tree.names("").isEmpty)
  }

  @Test func followsNoLinkOnTheWay() throws {
    let outside = try TemporaryTree()
    try outside.makeDirectory("secret", mode: 0o711)
    let before = try outside.attributes("secret")
    try tree.makeDirectory("d")
    try tree.link("d/link", to: outside.absolute("secret"))
    try tree.link("d/up", to: "../..")
    var writer = try fixture.writer()
    for path: ByteString in ["/d/link", "/d/link/below", "/d/up", "/d/up/below"] {
      let error = #expect(throws: FileSetError.self, "\(path)") { _ = try writer.file(path, "file") }
      #expect(error?.kind == .notADirectory, "\(path)")
    }
    #expect(throws: FileSetError.self) {
      _ = try writer.finishDirectory("/d/link", attributes: RestoreFixture.attributes(.directory, mode: 0o777))
    }
    #expect(throws: FileSetError.self) {
      _ = try writer.createDirectory("/d/link/new", attributes: RestoreFixture.attributes(.directory))
    }
    #expect(try outside.attributes("secret") == before)
    #expect(try outside.names("secret").isEmpty)
    #expect(try fixture.temporaryNames().isEmpty)
  }

  @Test(arguments: [true, false]) func replacesALinkAndNotItsTarget(isUnnamed: Bool) throws {
    var writer = try fixture.writer(isUnnamed: isUnnamed)
    try tree.write("kept", "kept")
    try tree.link("name", to: "kept")
    #expect(try writer.file("/", "name", "new") == .written([]))
    #expect(try tree.read("kept") == "kept" && tree.read("name") == "new")
    #expect(try tree.attributes("name").type == .regular)
    try tree.link("directory", to: "kept")
    let attributes = RestoreFixture.attributes(.directory)
    #expect(try writer.createDirectory("/directory", attributes: attributes) == .made)
    #expect(try tree.attributes("directory").type == .directory && tree.exists("kept"))
  }

  struct PolicyCase: Sendable {
    let policy: OverwritePolicy
    let existing: Int64?
    let isWritten: Bool
  }

  private static let policyCases = [
    PolicyCase(policy: .never, existing: nil, isWritten: true),
    PolicyCase(policy: .never, existing: 1, isWritten: false),
    PolicyCase(policy: .newer, existing: nil, isWritten: true),
    PolicyCase(policy: .newer, existing: 99, isWritten: true),
    PolicyCase(policy: .newer, existing: 100, isWritten: false),
    PolicyCase(policy: .newer, existing: 101, isWritten: false),
    PolicyCase(policy: .always, existing: nil, isWritten: true),
    PolicyCase(policy: .always, existing: 101, isWritten: true),
  ]

  @Test(arguments: policyCases, [true, false]) func keepsToThePolicy(_ test: PolicyCase, isUnnamed: Bool) throws {
    var writer = try fixture.writer(test.policy, isUnnamed: isUnnamed)
    let new = RestoreFixture.attributes(modified: FileTime(seconds: 100, nanoseconds: 0))
    func take(_ name: ByteString) throws {
      guard let seconds = test.existing else { return }
      try tree.write(name, "old")
      let time = FileTime(seconds: seconds, nanoseconds: 0)
      try NamedFile.setTimes(at: Descriptor.workingDirectory, tree.absolute(name), accessed: time, modified: time)
    }
    try take("file")
    try take("link")
    let expected: RestoreOutcome = test.isWritten ? .written([]) : .exists
    #expect(try writer.file("/", "file", "new", new) == expected)
    #expect(try tree.read("file") == (test.isWritten ? "new" : "old"))
    #expect(
      try writer.createSymbolicLink(directory: "/", name: "link", target: "t", attributes: new) == expected)
    #expect(try tree.attributes("link").type == (test.isWritten ? .symbolicLink : .regular))

    // The name is taken between the beginning and the end of the file.
    let file = try writer.begin("/", "late", new)
    try take("late")
    #expect(try file.commit(attributes: new) == expected)
    #expect(try fixture.temporaryNames().isEmpty)
  }

  @Test(arguments: [true, false]) func keepsDirectoriesThatAreNotEmpty(isUnnamed: Bool) throws {
    var writer = try fixture.writer(isUnnamed: isUnnamed)
    try tree.makeDirectory("full")
    try tree.write("full/inside")
    try tree.makeDirectory("empty")
    let error = #expect(throws: FileSetError.self) { _ = try writer.file("/", "full") }
    #expect(error?.kind == .directoryInTheWay && error?.path == tree.absolute("full"))
    #expect(try writer.file("/", "empty", "file now") == .written([]))
    #expect(try tree.read("empty") == "file now" && tree.exists("full/inside"))
    #expect(try fixture.temporaryNames().isEmpty)
  }

  @Test(arguments: OverwritePolicy.allCases) func keepsDirectoriesThatAreThere(_ policy: OverwritePolicy) throws {
    try tree.makeDirectory("d", mode: 0o751)
    try tree.write("d/mine")
    try tree.write("file")
    var writer = try fixture.writer(policy)
    let attributes = RestoreFixture.attributes(.directory)
    #expect(try writer.createDirectory("/d", attributes: attributes) == .used(isReplaced: policy == .always))
    let leading = try writer.createDirectory("/d", attributes: attributes, replacing: false)
    #expect(leading == .used(isReplaced: false))
    #expect(try tree.attributes("d").mode == 0o751 && tree.exists("d/mine"))
    let outcome = try writer.createDirectory("/file", attributes: attributes)
    #expect(outcome == (policy == .always ? .made : .kept))
    #expect(try tree.attributes("file").type == (policy == .always ? .directory : .regular))
  }
}
