import Glibc
import Testing
import VaultFileSet
import VaultModel
import VaultSystem

struct FileReaderTests {
  /// Opens each regular file of a walk after `meddle` did something to it.
  private struct ReadingVisitor: WalkVisitor {
    let meddle: (ByteString) throws -> Void
    /// Whether each is what was walked, by a look behind the reading.
    var asWalked: [ByteString: Bool] = [:]
    var read: [ByteString: String] = [:]
    var failed: [ByteString: FileReadError] = [:]
    var isChanged = false
    var pieces: [ByteString: [Range<UInt64>]] = [:]

    mutating func enter(_ directory: WalkDirectory) throws {}

    mutating func entry(
      name: UnsafeRawBufferPointer, attributes: FileAttributes, linkTarget: UnsafeRawBufferPointer,
      mayHaveHoles: Bool, in directory: WalkDirectory
    ) throws {
      guard attributes.type == .regular, let start = name.baseAddress else { return }
      let key = ByteString(name)
      try meddle(key)
      do throws(FileReadError) {
        var taken = try FileReader(
          in: directory, name: start.assumingMemoryBound(to: CChar.self), walked: attributes)
        #expect(taken.attributes == attributes && !taken.isExamined)
        asWalked[key] = try taken.isAsWalked()
      } catch { asWalked[key] = nil }
      do throws(FileReadError) {
        let reader = try FileReader.examined(in: directory, name: start.assumingMemoryBound(to: CChar.self))
        var bytes = [UInt8](repeating: 0, count: 64)
        let result: Result<Int, FileReadError> = bytes.withUnsafeMutableBytes { buffer in
          do throws(FileReadError) { return .success(try reader.read(into: buffer, at: 0)) } catch {
            return .failure(error)
          }
        }
        let count = try result.get()
        read[key] = String(decoding: bytes[..<count], as: UTF8.self)
        var content = ContentPieces(of: reader, reader.hasHoles ? .sha256OfExtents : .sha256)
        while let piece = try content.next(in: reader) { pieces[key, default: []].append(piece) }
        isChanged = FileReader.isChanged(before: attributes, after: try reader.finalAttributes())
      } catch { failed[key] = error }
    }

    mutating func problem(
      name: UnsafeRawBufferPointer, phase: ProblemPhase, errorNumber: Int32, in directory: DirectoryKey
    ) throws {}
    mutating func leave(_ directory: WalkDirectory) throws {}
    mutating func notEntered(_ directory: DirectoryKey) throws {}
  }

  private func read(
    _ tree: TemporaryTree, _ meddle: @escaping (ByteString) throws -> Void = { _ in }
  ) throws -> ReadingVisitor {
    var visitor = ReadingVisitor(meddle: meddle)
    try TreeWalker(selection: try PathSelection(paths: [tree.path], workingDirectory: "/")).walk(&visitor)
    return visitor
  }

  @Test func readsByDescriptor() throws {
    let tree = try TemporaryTree()
    let name = ByteString([0xff, 0x0a])
    try tree.write(name, "content")
    let seen = try read(tree)
    #expect(seen.read == [name: "content"] && seen.failed.isEmpty && !seen.isChanged)
  }

  @Test func cutsContentIntoPieces() throws {
    let tree = try TemporaryTree()
    let limit: UInt64 = 983_016
    func write(_ name: ByteString, size: Int64, _ data: [(Int64, Int)]) throws {
      let file = try Descriptor.open(tree.absolute(name), [.writeOnly, .create], mode: 0o644)
      for (offset, count) in data {
        try [UInt8](repeating: 1, count: count).withUnsafeBytes { try file.writeAll($0, at: offset) }
      }
      try file.truncate(to: size)
      try file.close()
    }
    try write("dense", size: 2_000_000, [(0, 2_000_000)])
    try write("hole", size: 1 << 40, [])
    try write("middle", size: 40960, [(8192, 4096), (16384, 8192)])
    try write("large", size: 3 << 20, [(0, 4096), (958_464, 1 << 20)])
    try write("empty", size: 0, [])
    let seen = try read(tree)
    #expect(seen.failed.isEmpty)
    #expect(seen.pieces["dense"] == [0..<limit, limit..<2 * limit, 2 * limit..<2_000_000])
    #expect(seen.pieces["hole"] == nil && seen.pieces["empty"] == nil)
    #expect(seen.pieces["middle"] == [8192..<12288, 16384..<24576])
    #expect(seen.pieces["large"] == [0..<4096, 958_464..<limit, limit..<2 * limit, 2 * limit..<2_007_040])
  }

  @Test func takesAFileForWhatWasWalked() throws {
    let tree = try TemporaryTree()
    for name: ByteString in ["as-it-was", "changed", "empty", "moved", "touched", "fifo", "gone"] {
      try tree.write(name, name == "empty" ? "" : "content")
    }
    let sparse = try Descriptor.open(tree.absolute("sparse"), [.writeOnly, .create], mode: 0o644)
    try sparse.truncate(to: 65536)
    try sparse.close()
    let seen = try read(tree) { name in
      switch name {
      case "changed": try tree.write(name, "CONTENT")
      case "moved":
        tree.remove(name)
        try tree.write(name, "content")
      case "touched": #expect(chmod(tree.absolute(name).displayText, 0o600) == 0)
      case "fifo":
        tree.remove(name)
        try DirectoryNames.makeNode(at: Descriptor.workingDirectory, tree.absolute(name), type: .fifo, specialDevice: 0)
      case "gone": tree.remove(name)
      default: break
      }
    }
    #expect(
      seen.asWalked == [
        "as-it-was": true, "empty": true, "changed": false, "moved": false, "touched": false, "fifo": false,
        "sparse": false,
      ])
  }

  @Test func seesThatAFileChanged() throws {
    let tree = try TemporaryTree()
    try tree.write("file", "content")
    let seen = try read(tree) { try tree.write($0, "longer content") }
    #expect(seen.isChanged && seen.read == ["file": "longer content"])
  }

  @Test func saysWhatTookTheFilesPlace() throws {
    let tree = try TemporaryTree()
    for name in ["directory", "fifo", "gone", "link", "socket"] { try tree.write(ByteString(name)) }
    let seen = try read(tree) { name in
      tree.remove(name)
      let at = Descriptor.workingDirectory
      switch name {
      case "directory": try tree.makeDirectory(name)
      case "fifo": try DirectoryNames.makeNode(at: at, tree.absolute(name), type: .fifo, specialDevice: 0)
      case "link": try tree.link(name, to: "/etc/passwd")
      case "socket": try DirectoryNames.makeNode(at: at, tree.absolute(name), type: .socket, specialDevice: 0)
      default: break
      }
    }
    #expect(seen.read.isEmpty)
    #expect(seen.failed["gone"] == FileReadError(phase: .open, errorNumber: ENOENT))
    for name: ByteString in ["directory", "fifo", "link", "socket"] {
      #expect(seen.failed[name] == FileReadError(phase: .changed, errorNumber: 0), "\(name)")
    }
  }

  @Test(
    arguments: [
      // ctime, read at (nanoseconds since 1970), granularity, racy?
      (100, 5, 100_000_000_000, 10_000_000, true),
      (99, 999_999_999, 100_000_000_000, 10_000_000, true),
      (99, 990_000_000, 100_000_000_000, 10_000_000, true),
      (99, 989_999_999, 100_000_000_000, 10_000_000, false),
      (98, 1, 100_000_000_000, 2_000_000_000, true),
      (97, 999_999_999, 100_000_000_000, 2_000_000_000, false),
      (200, 1, 100_000_000_000, 10_000_000, true),
      (99, 0, 100_000_000_000, 10_000_000, true),
      (97, 0, 100_000_000_000, 10_000_000, false),
      (-3, 1, -1_000_000_000, 10_000_000, false),
      (-1, 999_999_999, -1, 10_000_000, true),
      (-1, 1, -1, 10_000_000, false),
      (Int64.max, 1, Int64.max, 10_000_000, true),
      (Int64.min, 1, Int64.min, 10_000_000, true),
    ] as [(Int64, UInt32, Int64, Int64, Bool)])
  func knowsRacyFiles(
    _ seconds: Int64, _ nanoseconds: UInt32, _ readAt: Int64, _ granularity: Int64, _ expected: Bool
  ) {
    let isRacy = FileReader.isRacy(
      changed: FileTime(seconds: seconds, nanoseconds: nanoseconds), readAt: Timestamp(nanoseconds: readAt),
      granularityNanoseconds: granularity)
    #expect(isRacy == expected)
  }
}
