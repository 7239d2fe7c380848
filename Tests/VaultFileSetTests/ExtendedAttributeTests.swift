import Glibc
import SystemPackage
import Testing
import VaultFileSet
import VaultModel
import VaultProtocol
import VaultSystem

/// Reading extended attributes and inode flags, and setting them again.
@Suite struct ExtendedAttributeTests {
  /// Names and values of one path, a symbolic link not followed.
  private static func attributes(of path: ByteString) throws -> [String: [UInt8]] {
    try path.withCString { path in
      let object = AttributedObject.path(path)
      var names = [UInt8](repeating: 0, count: 65_536)
      let count = try names.withUnsafeMutableBytes { try object.listNames(into: $0) }
      var found: [String: [UInt8]] = [:]
      for bytes in names.prefix(count).split(separator: 0) {
        let name = String(decoding: bytes, as: UTF8.self)
        var value = [UInt8](repeating: 0, count: 65_536)
        let size = try value.withUnsafeMutableBytes { try object.read(name, into: $0) }
        found[name] = Array(value.prefix(size))
      }
      return found
    }
  }

  private static func list(_ attributes: [String: [UInt8]]) -> ByteString {
    var writer = ByteWriter()
    for (name, value) in attributes.sorted(by: { $0.key < $1.key }) {
      Array(name.utf8).withUnsafeBytes { name in
        value.withUnsafeBytes { ExtendedAttributeList.append(name: name, value: $0, to: &writer) }
      }
    }
    return ByteString(writer.array)
  }

  private static let sample: [String: [UInt8]] = [
    "user.empty": [], "user.bytes": [0, 255, 10, 0], "user.long": [UInt8](repeating: 9, count: 3000),
  ]

  @Test func whatIsSetIsWhatIsRead() throws {
    let fixture = try RestoreFixture()
    var writer = try fixture.writer()
    let attributes = RestoreFixture.attributes(mode: 0o400)
    let file = try writer.begin("/", "file", attributes)
    #expect(try file.commit(attributes: attributes, extended: Self.list(Self.sample)) == .written([]))
    _ = try writer.createDirectory("/dir", attributes: RestoreFixture.attributes(.directory, mode: 0o500))
    let unset = try writer.finishDirectory(
      "/dir", attributes: RestoreFixture.attributes(.directory, mode: 0o500), extended: Self.list(["user.d": [1]]))
    #expect(unset.isEmpty)
    #expect(try Self.attributes(of: fixture.tree.absolute("file")) == Self.sample)
    #expect(try Self.attributes(of: fixture.tree.absolute("dir")) == ["user.d": [1]])
    #expect(try fixture.tree.attributes("file").mode == 0o400)
    // And read again they are the same list.
    var reader = ExtendedAttributeReader()
    let descriptor = try Descriptor.open(fixture.tree.absolute("file"), [.readOnly])
    #expect(reader.read(of: descriptor.rawValue) == 0)
    #expect(ByteString(reader.list) == Self.list(Self.sample))
    let none = try Descriptor.open("/dev/null", [.readOnly])
    #expect(reader.read(of: none.rawValue) == 0)
    #expect(reader.list.isEmpty)
  }

  @Test func aFifoHasThemWithoutBeingOpened() throws {
    guard geteuid() == 0 else { return }
    let fixture = try RestoreFixture()
    var writer = try fixture.writer()
    let outcome = try writer.createNode(
      directory: "/", name: "pipe", attributes: RestoreFixture.attributes(.fifo),
      extended: Self.list(["trusted.p": [4]]))
    #expect(outcome == .written([]))
    let link = try writer.createSymbolicLink(
      directory: "/", name: "link", target: "nowhere", attributes: RestoreFixture.attributes(),
      extended: Self.list(["trusted.l": []]))
    #expect(link == .written([]))
    #expect(try Self.attributes(of: fixture.tree.absolute("pipe")) == ["trusted.p": [4]])
    #expect(try Self.attributes(of: fixture.tree.absolute("link")) == ["trusted.l": []])
  }

  @Test func whatIsRefusedIsTold() throws {
    let fixture = try RestoreFixture()
    var writer = try fixture.writer()
    let attributes = RestoreFixture.attributes()
    // A namespace that no system has, beside one that is fine.
    let list = Self.list(["nonsense.a": [1], "user.b": [2]])
    let file = try writer.begin("/", "file", attributes)
    guard case .written(let unset) = try file.commit(attributes: attributes, extended: list) else {
      Issue.record("not written")
      return
    }
    #expect(unset.errors == [.extendedAttributes: .notSupported])
    #expect(try Self.attributes(of: fixture.tree.absolute("file")) == ["user.b": [2]])
    let damaged = try writer.begin("/", "damaged", attributes)
    guard case .written(let other) = try damaged.commit(attributes: attributes, extended: "not a list") else {
      Issue.record("not written")
      return
    }
    #expect(other.kinds == [.extendedAttributes])
    #expect(try Self.attributes(of: fixture.tree.absolute("damaged")).isEmpty)
  }

  /// u::rwx, u:12:rwx, g::r-x, mask::rwx, o::r-x, as the kernel stores it.
  private static let defaultList: [UInt8] = [
    2, 0, 0, 0, 1, 0, 7, 0, 255, 255, 255, 255, 2, 0, 7, 0, 12, 0, 0, 0, 4, 0, 5, 0, 255, 255, 255, 255, 16, 0, 7, 0,
    255, 255, 255, 255, 32, 0, 5, 0, 255, 255, 255, 255,
  ]

  @Test func nothingIsInheritedFromTheTarget() throws {
    let fixture = try RestoreFixture()
    try fixture.tree.path.withCString { path in
      try Self.defaultList.withUnsafeBytes { try AttributedObject.path(path).set("system.posix_acl_default", $0) }
    }
    var writer = try fixture.writer()
    #expect(try writer.file("/", "file") == .written([]))
    #expect(try writer.createDirectory("/d", attributes: RestoreFixture.attributes(.directory)) == .made)
    #expect(try writer.file("/d", "file") == .written([]))
    _ = try writer.createNode(directory: "/d", name: "pipe", attributes: RestoreFixture.attributes(.fifo))
    for path in ["file", "d", "d/file", "d/pipe"] as [ByteString] {
      #expect(try Self.attributes(of: fixture.tree.absolute(path)).isEmpty, "\(path)")
    }
  }

  @Test func flaggedFilesAreLeftOutUnlessNamed() throws {
    let tree = try TemporaryTree()
    for directory in ["kept", "left", "left/below"] as [ByteString] { try tree.makeDirectory(directory) }
    for file in ["kept/file", "kept/flagged", "left/below/file"] as [ByteString] { try tree.write(file) }
    for path in ["kept/flagged", "left"] as [ByteString] {
      let descriptor = try Descriptor.open(tree.absolute(path), [.readOnly])
      do throws(Errno) { try InodeFlags.add(.noDump, to: descriptor.rawValue) } catch { return }
      #expect(try InodeFlags.read(of: descriptor.rawValue).contains(.noDump))
    }
    func walked(_ paths: [ByteString], honoring: Bool = true) throws -> [ByteString] {
      var visitor = RecordingVisitor()
      var options = TreeWalker.Options()
      options.honorsNoDump = honoring
      let selection = try PathSelection(paths: paths, workingDirectory: "/")
      try TreeWalker(selection: selection, options: options).walk(&visitor)
      let prefix = tree.path.bytes + [0x2f]
      return visitor.entries.map { $0.position.directory.appending($0.position.name).path }
        .filter { $0.bytes.starts(with: prefix) }.map { ByteString($0.bytes[prefix.count...]) }
    }
    #expect(try walked([tree.path]) == ["kept", "kept/file"])
    #expect(try walked([tree.path], honoring: false).count == 6)
    let named = try walked([tree.path, tree.absolute("left/below")])
    #expect(named == ["kept", "left", "kept/file", "left/below", "left/below/file"])
  }
}
