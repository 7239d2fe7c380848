import Glibc
import Testing
import VaultFileSet
import VaultModel
import VaultSystem

struct RestoreTests {
  let fixture: RestoreFixture
  var tree: TemporaryTree { fixture.tree }

  init() throws { fixture = try RestoreFixture() }

  @Test func restoresEveryKind() throws {
    var writer = try fixture.writer()
    let directory = RestoreFixture.attributes(.directory, mode: 0o2550)
    #expect(try writer.createDirectory("/home", attributes: directory) == .made)
    #expect(try tree.attributes("home").mode == 0o700)
    #expect(try writer.file("/home", "file", "hello") == .written([]))
    #expect(
      try writer.createSymbolicLink(
        directory: "/home", name: "link", target: "/no/where", attributes: RestoreFixture.attributes(.symbolicLink))
        == .written([]))
    #expect(
      try writer.createNode(
        directory: "/home", name: "pipe", attributes: RestoreFixture.attributes(.fifo, mode: 0o604)) == .written([]))
    #expect(try writer.finishDirectory("/home", attributes: directory) == [])

    #expect(try tree.read("home/file") == "hello")
    #expect(try tree.readLink("home/link") == "/no/where")
    for (name, type, mode) in [
      ("home", FileType.directory, 0o2550), ("home/file", .regular, 0o640), ("home/link", .symbolicLink, 0o777),
      ("home/pipe", .fifo, 0o604),
    ] as [(ByteString, FileType, UInt32)] {
      let attributes = try tree.attributes(name)
      #expect(attributes.type == type && attributes.mode == mode, "\(name)")
      #expect(attributes.modified == RestoreFixture.old, "\(name)")
    }
    #expect(try fixture.temporaryNames().isEmpty)
  }

  @Test(.enabled(if: geteuid() == 0)) func setsOwnersAndKeepsSetuid() throws {
    var writer = try fixture.writer()
    #expect(try writer.file("/", "tool", "x", RestoreFixture.attributes(mode: 0o6755, owner: 1234)) == .written([]))
    let attributes = try tree.attributes("tool")
    #expect(attributes.owner == 1234 && attributes.group == 1234 && attributes.mode == 0o6755)
    let device = FileAttributes(type: .characterDevice, mode: 0o666, specialDevice: 0x103)
    #expect(try writer.createNode(directory: "/", name: "null", attributes: device) == .written([]))
    #expect(try tree.attributes("null").specialDevice == device.specialDevice)
  }

  /// A file is made with its mode where that lets nobody in who may not come in later, and closed elsewhere.
  @Test func aNewFileIsOpenToNobodyElse() throws {
    var writer = try fixture.writer(isUnnamed: false)
    func modeWhileWriting(_ attributes: FileAttributes, hasExtended: Bool = false) throws -> UInt32 {
      guard
        let file = try writer.writeFile(
          directory: "/d", name: "file", attributes: attributes, hasExtended: hasExtended)
      else { throw FileSetError(.createFile, "file", .fileExists) }
      let name = try #require(try tree.names("d").first { $0.bytes.starts(with: ".vault-restore-".utf8) })
      let mode = try tree.attributes(ByteString("d/".utf8 + name.bytes)).mode
      #expect(try file.commit(attributes: attributes) == .written([]))
      let found = try tree.attributes("d/file")
      #expect(found.mode == attributes.mode && found.group == attributes.group && found.modified == attributes.modified)
      return mode
    }
    // The process's mask takes bits, which come at the end.
    let path = String(decoding: tree.absolute("made").bytes, as: UTF8.self)
    close(open(path, O_CREAT | O_WRONLY, 0o666))
    let left = try tree.attributes("made").mode
    #expect(try modeWhileWriting(RestoreFixture.attributes(mode: 0o640)) == 0o640 & (left | 0o600))
    #expect(try modeWhileWriting(RestoreFixture.attributes(mode: 0o666)) == left)
    #expect(try modeWhileWriting(RestoreFixture.attributes(mode: 0o400)) == 0o400)
    // An access control list comes later, and may let in fewer.
    #expect(try modeWhileWriting(RestoreFixture.attributes(mode: 0o640), hasExtended: true) == 0o600)
    #expect(try modeWhileWriting(RestoreFixture.attributes(mode: 0o4755)) == 0o600)
    if geteuid() == 0 {
      #expect(try modeWhileWriting(RestoreFixture.attributes(mode: 0o644, owner: 1234)) == 0o600)
      // The directory gives its group to what is made in it, from now on, and is looked at again, as it is not the restore's own.
      let shared = String(decoding: tree.absolute("d").bytes, as: UTF8.self)
      #expect(chmod(shared, 0o755) == 0)
      writer = try fixture.writer(isUnnamed: false)
      #expect(try modeWhileWriting(RestoreFixture.attributes(mode: 0o664)) == 0o664 & (left | 0o600))
      #expect(chown(shared, 0, 1234) == 0 && chmod(shared, 0o2770) == 0)
      #expect(try modeWhileWriting(RestoreFixture.attributes(mode: 0o664)) == 0o600)
    }
  }

  @Test func makesWhatIsMissingOnTheWay() throws {
    let deep = ByteString("below/new/target")
    var writer = RestoreWriter(
      target: try RestoreTarget(path: tree.absolute(deep), policy: .never), randomSeed: 7, directoryLimit: 2)
    for index in 0..<6 {
      #expect(try writer.file(ByteString("/a\(index)/b/c"), "file", "\(index)") == .written([]))
    }
    for index in 0..<6 { #expect(try tree.read(ByteString("below/new/target/a\(index)/b/c/file")) == "\(index)") }
    #expect(try tree.attributes("below/new/target/a0").mode == 0o700)
  }

  @Test func restoresPathsLongerThanTheSystemTakes() throws {
    let component = [UInt8](repeating: 0x64, count: 196)
    let path = ByteString((0..<24).flatMap { _ in [0x2f] + component })
    var writer = try fixture.writer()
    #expect(try writer.file(path, "deep") == .written([]))
    let attributes = RestoreFixture.attributes(.directory, mode: 0o750)
    #expect(try writer.createDirectory(path, attributes: attributes) == .used(isReplaced: true))
    #expect(try writer.finishDirectory(path, attributes: attributes) == [])
    let last = try #require(try tree.walk().entries.last)
    #expect(last.position.name == "deep" && last.attributes.modified == RestoreFixture.old)
  }

  @Test func writesHolesAndPieces() throws {
    var writer = try fixture.writer()
    let attributes = RestoreFixture.attributes()
    let file = try writer.begin("/", "sparse", attributes)
    try [UInt8]("end".utf8).withUnsafeBytes { try file.write($0, at: 1_000_000) }
    try file.setSize(2_000_000)
    #expect(throws: FileSetError.self) { try [UInt8]([1]).withUnsafeBytes { try file.write($0, at: .max) } }
    #expect(try file.commit(attributes: attributes) == .written([]))
    #expect(try tree.attributes("sparse").size == 2_000_000)
  }

  @Test(arguments: [true, false]) func leavesNothingBehindWhenGivenUp(isUnnamed: Bool) throws {
    let target = try RestoreTarget(path: tree.path, policy: .always, triesUnnamedFiles: isUnnamed)
    var writer = RestoreWriter(target: target, randomSeed: 1)
    // A file system may know none without a name.
    let count = target.makesUnnamedFiles ? 0 : 1
    for isExplicit in [true, false] {
      let file = try writer.begin("/d", "file", RestoreFixture.attributes())
      try [UInt8]("half".utf8).withUnsafeBytes { try file.write($0, at: 0) }
      #expect(try tree.names("d").count == count && fixture.temporaryNames().count == count)
      if isExplicit { file.discard() } else { _ = consume file }
      #expect(try tree.names("d").isEmpty)
    }
  }

  @Test(.enabled(if: geteuid() == 0)) func saysWhenTheDiskIsFull() throws {
    try tree.makeDirectory("small")
    let path = String(decoding: tree.absolute("small").bytes, as: UTF8.self)
    guard mount("none", path, "tmpfs", 0, "size=64k") == 0 else { return }
    defer { umount2(path, 2) }
    var writer = RestoreWriter(
      target: try RestoreTarget(path: tree.absolute("small"), policy: .never), randomSeed: 7)
    let error = #expect(throws: FileSetError.self) {
      _ = try writer.file("/", "large", String(repeating: "x", count: 1_000_000))
    }
    #expect(error?.kind == .writeFile && error?.errno == .noSpace)
    #expect(error?.path == tree.absolute("small/large"))
    #expect(try tree.names("small").isEmpty)
  }

  // MARK: Hard links

  @Test func linksOnlyToWhatItMade() throws {
    var writer = try fixture.writer()
    let attributes = RestoreFixture.attributes()
    let file = try writer.begin("/a", "first", attributes)
    let source = RestoredFile(directory: "/a", name: "first", identity: try file.identity())
    _ = try file.commit(attributes: attributes)
    for _ in 0..<2 {
      // The second time the name is a link to the same file already.
      let outcome = try writer.createHardLink(
        directory: "/b", name: "second", to: source, modified: attributes.modified)
      #expect(outcome == .written([]))
      #expect(try tree.names("b") == ["second"])
    }
    #expect(try tree.attributes("b/second").inode == source.identity.inode)
    #expect(try tree.attributes("a/first").linkCount == 2)

    tree.remove("a/first")
    try tree.write("a/first", "somebody else's")
    let error = #expect(throws: FileSetError.self) {
      _ = try writer.createHardLink(directory: "/b", name: "third", to: source, modified: attributes.modified)
    }
    #expect(error?.kind == .linkPartnerChanged && error?.path == tree.absolute("a/first"))
    #expect(try tree.names("b") == ["second"])
    #expect(try tree.attributes("a/first").linkCount == 1)
  }
}
